//! Files that are there whole or not at all.

use std::io::Write;
use std::path::Path;

use crate::Error;

/// Writes `parts` one after the other to a temporary file beside `path`, makes it durable, and gives
/// it the name: whoever reads sees the old file or the new one, whatever crashes meanwhile.
pub(crate) fn write(path: &Path, parts: &[&[u8]]) -> Result<(), Error> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    // The name is durable when the folder is. Only Unix lets one open a folder for that.
    #[cfg(unix)]
    std::fs::File::open(folder)?.sync_all()?;
    Ok(())
}
