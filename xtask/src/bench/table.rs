//! Files of rows: a line of column names, then a line a row, fields between commas and without any.

use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Reads a file of rows; a missing one is empty.
///
/// # Errors
/// If it cannot be read, or has other columns.
pub(crate) fn read(path: &Path, columns: &[&str]) -> Result<Vec<Vec<String>>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let rows: Vec<Vec<String>> = text.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    match rows.split_first() {
        Some((head, rows)) if head == columns && rows.iter().all(|row| row.len() == columns.len()) => Ok(rows.to_vec()),
        _ => bail!("{} has other columns than {}", path.display(), columns.join(",")),
    }
}

/// Writes them. Commas and line breaks in fields become semicolons.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write(path: &Path, columns: &[&str], rows: &[Vec<String>]) -> Result<()> {
    let mut text = columns.join(",") + "\n";
    for row in rows {
        let fields: Vec<String> = row.iter().map(|field| field.replace([',', '\n'], ";")).collect();
        text += &(fields.join(",") + "\n");
    }
    std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_and_other_columns_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.csv");
        assert!(read(&path, &["a", "b"]).unwrap().is_empty());
        let row = |fields: [&str; 2]| fields.map(str::to_owned).to_vec();
        write(&path, &["a", "b"], &[row(["1", "flip,shift"]), row(["", "2"])]).unwrap();
        assert_eq!(read(&path, &["a", "b"]).unwrap(), [row(["1", "flip;shift"]), row(["", "2"])]);
        assert!(read(&path, &["a", "c"]).unwrap_err().to_string().contains("other columns"));
        std::fs::write(&path, "a,b\n1,2,3\n").unwrap();
        assert!(read(&path, &["a", "b"]).is_err(), "a row too long");
        assert!(read(folder.path(), &["a", "b"]).is_err(), "not a file");
    }
}
