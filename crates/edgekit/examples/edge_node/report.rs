//! The page that the demo writes: one self-contained file, light and dark.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const STYLE: &str = include_str!("report.css");

/// Sections in the order in which they were added.
#[derive(Default)]
pub(crate) struct Report {
    body: String,
}

impl Report {
    /// A heading and what follows it (HTML).
    pub(crate) fn section(&mut self, title: &str, html: &str) {
        let _ = write!(self.body, "<section><h2>{}</h2>{html}</section>", escape(title));
    }

    /// Writes the page and says where it is.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let path = folder.join("report.html");
        let page = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>edgekit demo</title><style>{STYLE}</style>\
             <main><h1>edgekit on this machine</h1>{}</main></html>\n",
            self.body
        );
        fs::write(&path, page)?;
        Ok(path)
    }
}

/// Big numbers with their names, for the top of a section.
pub(crate) fn tiles(numbers: &[(&str, String)]) -> String {
    let mut html = String::from("<dl class=\"tiles\">");
    for (name, value) in numbers {
        let _ = write!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    html + "</dl>"
}

/// Text made safe to stand in HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
