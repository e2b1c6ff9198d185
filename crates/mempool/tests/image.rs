//! Image views against plain index arithmetic, and geometry that does not fit.

use edgekit_mempool::{Channels, ErrorKind, ImageView};
use proptest::prelude::*;

const ALL: [Channels; 3] = [Channels::Gray, Channels::Rgb, Channels::Rgba];

proptest! {
    #[test]
    fn a_subview_shows_the_same_pixels_at_the_same_addresses(
        (width, height) in (0_usize..9, 0_usize..9),
        gap in 0_usize..5,
        channels in prop::sample::select(&ALL[..]),
        window in (0_usize..9, 0_usize..9, 0_usize..9, 0_usize..9),
    ) {
        let stride = width * channels.count() + gap;
        let bytes: Vec<u8> = (0..stride * height).map(|i| i as u8).collect();
        let image = ImageView::with_stride(&bytes, width, height, channels, stride).unwrap();
        let (x, y, w, h) = window;
        let fits = x + w <= width && y + h <= height;
        let view = image.subview(x, y, w, h);
        prop_assert_eq!(view.is_ok(), fits);
        let Ok(view) = view else { return Ok(()) };
        prop_assert_eq!((view.width(), view.height(), view.stride()), (w, h, stride));
        for row in 0..h + 2 {
            for column in 0..w + 2 {
                let seen = view.pixel(column, row);
                prop_assert_eq!(seen.is_some(), column < w && row < h);
                if let Some(seen) = seen {
                    let at = (y + row) * stride + (x + column) * channels.count();
                    let expected = &bytes[at..at + channels.count()];
                    prop_assert!(std::ptr::eq(seen, expected), "a copy, or another place");
                }
            }
        }
        prop_assert_eq!(view.rows().len(), h);
        for (row, seen) in view.rows().enumerate() {
            prop_assert_eq!(seen.len(), w * channels.count());
            prop_assert_eq!(Some(seen), view.row(row));
            if w > 0 {
                prop_assert!(seen.starts_with(view.pixel(0, row).unwrap()));
            }
        }
        prop_assert!(view.row(h).is_none());
        if let Some(all) = view.as_contiguous() {
            prop_assert_eq!(all, view.rows().collect::<Vec<_>>().concat());
        }
    }
}

#[test]
fn a_subview_outlives_the_view_it_was_cut_from() {
    let bytes = [1, 2, 3, 4];
    let corner = {
        let image = ImageView::new(&bytes, 2, 2, Channels::Gray).unwrap();
        image.subview(1, 1, 1, 1).unwrap()
    };
    assert_eq!(corner.pixel(0, 0), Some(&[4][..]));
}

#[test]
fn geometry_that_does_not_fit_is_an_error() {
    let bytes = [0; 100];
    let huge = usize::MAX;
    for (width, height, stride) in [
        (10, 11, 10),
        (101, 1, 101),
        (10, 2, 9),
        (huge, 1, huge),
        (1, huge, 1),
        (huge, huge, huge),
        (huge / 2, 3, huge / 2),
        (2, huge / 2, 3),
    ] {
        let view = ImageView::with_stride(&bytes, width, height, Channels::Gray, stride);
        assert_eq!(view.unwrap_err().kind(), ErrorKind::InvalidGeometry, "{width} × {height}");
    }
    assert!(ImageView::new(&bytes, huge, 1, Channels::Rgba).is_err(), "overflows per row");
    let image = ImageView::new(&bytes, 10, 10, Channels::Gray).unwrap();
    for (x, y, w, h) in [(huge, 0, 1, 1), (0, huge, 1, 1), (1, 0, huge, 1), (0, 1, 1, huge)] {
        assert!(image.subview(x, y, w, h).is_err());
    }
    assert!(image.subview(10, 10, 0, 0).is_ok(), "an empty window at the corner is inside");
}

#[test]
fn the_last_row_needs_no_gap_behind_it() {
    let bytes = [0; 18];
    assert!(ImageView::with_stride(&bytes, 8, 2, Channels::Gray, 10).is_ok());
    assert!(ImageView::with_stride(&bytes[..17], 8, 2, Channels::Gray, 10).is_err());
}
