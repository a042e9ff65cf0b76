//! What `cargo metadata` says about this workspace.

use crate::step::{self, Failure};
use serde_json::Value;
use std::path::PathBuf;

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    pub(crate) packages: Vec<Package>,
}

/// A member of the workspace and the packages it names, for building, testing or both.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) dependencies: Vec<String>,
}

impl Workspace {
    pub(crate) fn read() -> Result<Self, Failure> {
        let mut command = step::cargo();
        command.args(["metadata", "--format-version", "1", "--no-deps"]);
        let output = command.output().map_err(|cause| step::not_started(&command, &cause))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(Failure::new(format!("failed to read cargo metadata: {}", said.trim())));
        }
        serde_json::from_slice(&output.stdout)
            .ok()
            .and_then(|metadata| Self::of(&metadata))
            .ok_or_else(|| Failure::new("failed to read cargo metadata: not of format 1"))
    }

    fn of(metadata: &Value) -> Option<Self> {
        let path = |field: &str| metadata[field].as_str().map(PathBuf::from);
        let packages = metadata["packages"].as_array()?.iter().map(Package::of);
        Some(Self {
            root: path("workspace_root")?,
            target: path("target_directory")?,
            packages: packages.collect::<Option<_>>()?,
        })
    }
}

impl Package {
    fn of(package: &Value) -> Option<Self> {
        let name = |of: &Value| of["name"].as_str().map(str::to_owned);
        let dependencies = package["dependencies"].as_array()?.iter().map(name);
        Some(Self { name: name(package)?, dependencies: dependencies.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn metadata_is_read_into_members_and_what_they_name() {
        let metadata = json!({
            "workspace_root": "/w", "target_directory": "/w/target",
            "packages": [{"name": "a", "dependencies": [{"name": "b", "kind": "dev"}]}],
        });
        let workspace = Workspace::of(&metadata).unwrap();
        assert_eq!(workspace.target, PathBuf::from("/w/target"));
        let expected = Package { name: "a".into(), dependencies: vec!["b".into()] };
        assert_eq!(workspace.packages, [expected]);
    }

    #[test]
    fn metadata_of_another_shape_is_refused() {
        assert!(Workspace::of(&json!({"packages": []})).is_none());
    }
}
