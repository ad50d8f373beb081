//! Investigations on disk: a folder for each, with its reports.
//!
//! ```text
//! DATA/investigations/order-service-20261122T140512Z/
//!   investigation.json        what it is, for lists
//!   report.md report.html report.json report.txt
//! ```

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use leakline_investigate::Form;
use leakline_model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::ServerError;

/// The outcome of an investigation that the server did not live to finish.
pub(crate) const INTERRUPTED: &str = "interrupted";

/// One line of the list of investigations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InvestigationEntry {
    /// Its name: service and opening time.
    pub id: String,
    /// The service.
    pub service: String,
    /// The version of the service that was suspected; may be empty.
    #[serde(default)]
    pub version: String,
    /// The instance of the service that was suspected; may be empty.
    #[serde(default)]
    pub instance: String,
    /// When it was opened, RFC 3339.
    pub opened: String,
    /// When its report was written; `None` while it is under way.
    pub finished: Option<String>,
    /// What it came to: `leak_confirmed`, `leak_likely`, `suspected`, `no_leak`,
    /// `insufficient_data` or `interrupted`; `None` while it is under way.
    #[serde(default)]
    pub outcome: Option<String>,
    /// The result in one sentence; what it is doing now while it is under way.
    pub headline: String,
}

/// The folder of all investigations.
#[derive(Clone, Debug)]
pub struct Archive {
    folder: PathBuf,
}

impl Archive {
    /// Opens the folder, and makes it, private, if it is not there.
    pub fn open(folder: PathBuf) -> Result<Self, ServerError> {
        make_private_folder(&folder).map_err(|source| ServerError::File {
            action: "create",
            path: folder.clone(),
            source,
        })?;
        Ok(Archive { folder })
    }

    /// The name that an investigation of `service`, opened at `opened`, gets.
    pub(crate) fn id(service: &str, opened: Timestamp) -> String {
        let name: String = service
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .take(64)
            .collect();
        let time: String = opened
            .to_string()
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .collect();
        format!("{name}-{time}")
    }

    /// Writes or replaces the entry of an investigation.
    pub(crate) fn save_entry(&self, entry: &InvestigationEntry) -> std::io::Result<()> {
        let folder = self.folder.join(&entry.id);
        make_private_folder(&folder)?;
        replace(
            &folder.join("investigation.json"),
            &serde_json::to_vec_pretty(entry)?,
        )
    }

    /// Writes the report of an investigation in one form.
    pub(crate) fn save_report(&self, id: &str, form: Form, text: &str) -> std::io::Result<()> {
        replace(
            &self.folder.join(id).join(form.file_name()),
            text.as_bytes(),
        )
    }

    /// The report of an investigation; `None` when there is none (yet).
    pub fn report(&self, id: &str, form: Form) -> Option<String> {
        // an id is one plain name: nothing outside the folder can be asked for
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !plain {
            return None;
        }
        fs::read_to_string(self.folder.join(id).join(form.file_name())).ok()
    }

    /// Marks investigations that were under way when the server was last stopped: their dumps
    /// stand, but nobody goes on with them.
    pub(crate) fn mark_interrupted(&self) -> std::io::Result<()> {
        for mut entry in self.entries() {
            if entry.outcome.is_none() {
                entry.outcome = Some(INTERRUPTED.to_owned());
                entry.headline =
                    "interrupted: the server was stopped before the report was written".to_owned();
                self.save_entry(&entry)?;
            }
        }
        Ok(())
    }

    /// All investigations, the latest first. Folders that are not investigations are passed over.
    pub fn entries(&self) -> Vec<InvestigationEntry> {
        let Ok(folders) = fs::read_dir(&self.folder) else {
            return Vec::new();
        };
        let mut entries: Vec<InvestigationEntry> = folders
            .flatten()
            .filter_map(|folder| fs::read(folder.path().join("investigation.json")).ok())
            .filter_map(|text| serde_json::from_slice(&text).ok())
            .collect();
        entries.sort_by(|a, b| (&b.opened, &b.id).cmp(&(&a.opened, &a.id)));
        entries
    }
}

/// Makes `folder` and its parents, readable by this user only.
pub(crate) fn make_private_folder(folder: &Path) -> std::io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
}

/// Writes aside and renames, so that a reader never sees half a file.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let aside = path.with_extension("part");
    let mut file = fs::File::create(&aside)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(aside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn investigations_are_listed_latest_first_and_survive() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(folder.path().join("investigations")).unwrap();
        for (service, opened) in [
            ("orders", "2026-11-22T14:00:00Z"),
            ("a/b é", "2026-11-22T15:00:00Z"),
        ] {
            let time = Timestamp::parse(opened).unwrap();
            let entry = InvestigationEntry {
                id: Archive::id(service, time),
                service: service.to_owned(),
                version: String::new(),
                instance: String::new(),
                opened: opened.to_owned(),
                finished: None,
                outcome: None,
                headline: "waiting".to_owned(),
            };
            archive.save_entry(&entry).unwrap();
        }
        let ids: Vec<_> = archive
            .entries()
            .into_iter()
            .map(|entry| entry.id)
            .collect();
        assert_eq!(ids, ["a-b---20261122T150000Z", "orders-20261122T140000Z"]);

        archive.mark_interrupted().unwrap();
        let outcomes = archive.entries().into_iter().map(|entry| entry.outcome);
        assert!(outcomes.eq([Some(INTERRUPTED.to_owned()), Some(INTERRUPTED.to_owned())]));

        archive
            .save_report(&ids[1], Form::Markdown, "# Report")
            .unwrap();
        assert_eq!(
            archive.report(&ids[1], Form::Markdown).as_deref(),
            Some("# Report")
        );
        assert_eq!(archive.report(&ids[1], Form::Html), None);
        assert_eq!(archive.report("../../etc/passwd", Form::Markdown), None);
    }
}
