//! `SystemSource`: what the operating system says about memory.
//!
//! Linux: `/proc/meminfo` for the machine, `/proc/self/status` for the process, and the control
//! group's own files (version 2, and version 1 where it is mounted), since a container is killed at
//! its group's limit, not at the machine's. Of the machine and the groups above the process, the
//! tightest counts. Elsewhere: the `sysinfo` crate, behind the feature of that name.

#[cfg(any(target_os = "linux", test))]
use std::path::{Path, PathBuf};

use crate::{Error, ErrorKind, MemorySource, MemoryUsage};

/// The memory of this machine and process, for a [`MemoryMonitor`](crate::MemoryMonitor).
#[derive(Debug)]
pub struct SystemSource {
    #[cfg(target_os = "linux")]
    linux: Linux,
    #[cfg(all(not(target_os = "linux"), feature = "sysinfo"))]
    portable: Portable,
}

impl SystemSource {
    /// The source of this platform.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] elsewhere than on Linux without the
    /// feature `sysinfo`.
    pub fn new() -> Result<Self, Error> {
        #[cfg(target_os = "linux")]
        return Ok(SystemSource { linux: Linux { root: PathBuf::from("/") } });
        #[cfg(all(not(target_os = "linux"), feature = "sysinfo"))]
        return Ok(SystemSource { portable: Portable::new()? });
        #[cfg(not(any(target_os = "linux", feature = "sysinfo")))]
        Err(Error::new(
            ErrorKind::Unsupported,
            "this platform's memory is only known with the feature `sysinfo`; turn it on",
        ))
    }
}

impl MemorySource for SystemSource {
    fn usage(&mut self) -> Result<MemoryUsage, Error> {
        #[cfg(target_os = "linux")]
        return self.linux.usage();
        #[cfg(all(not(target_os = "linux"), feature = "sysinfo"))]
        return self.portable.usage();
        #[cfg(not(any(target_os = "linux", feature = "sysinfo")))]
        Err(Error::new(ErrorKind::Unsupported, "there is no source of memory use here"))
    }
}

/// Reads below `root`, which is `/` but in tests.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug)]
struct Linux {
    root: PathBuf,
}

#[cfg(any(target_os = "linux", test))]
impl Linux {
    fn usage(&self) -> Result<MemoryUsage, Error> {
        let machine = self.read("proc/meminfo")?;
        let total = self.kilobytes(&machine, "MemTotal")?;
        let free = self.kilobytes(&machine, "MemAvailable")?;
        let process = self.kilobytes(&self.read("proc/self/status")?, "VmRSS")?;
        let mut tightest = (total.saturating_sub(free), total);
        for (used, limit) in self.groups() {
            // Compares used / limit without dividing.
            let tighter = u128::from(used) * u128::from(tightest.1)
                > u128::from(tightest.0) * u128::from(limit);
            if tighter && limit <= total {
                tightest = (used, limit);
            }
        }
        let (used_bytes, limit_bytes) = tightest;
        Ok(MemoryUsage { process_bytes: process, used_bytes, limit_bytes })
    }

    /// Use and limit of each control group that the process is in and that has a limit.
    fn groups(&self) -> Vec<(u64, u64)> {
        let mut found = Vec::new();
        let membership = self.read("proc/self/cgroup").unwrap_or_default();
        for line in membership.lines() {
            let mut fields = line.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
            let (mount, limit, used, cache) = if controllers.is_empty() {
                ("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")
            } else if controllers.split(',').any(|c| c == "memory") {
                let v1 = "sys/fs/cgroup/memory";
                (v1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            } else {
                continue;
            };
            // From the process's own group up to the root; inside a container the path may not
            // exist below the mount, whose root is then the container's group.
            for group in Path::new(path.trim_start_matches('/')).ancestors() {
                let group = Path::new(mount).join(group);
                let number = |file: &str| self.read(group.join(file)).ok()?.trim().parse().ok();
                let (Some(limit), Some(used)) = (number(limit), number(used)) else { continue };
                let stat = self.read(group.join("memory.stat")).unwrap_or_default();
                // Pages of files that the kernel can drop at any time are not in use.
                let used: u64 = used;
                found.push((used.saturating_sub(stat_field(&stat, cache)), limit));
            }
        }
        found
    }

    fn read(&self, path: impl AsRef<Path>) -> Result<String, Error> {
        let path = self.root.join(path);
        std::fs::read_to_string(&path)
            .map_err(|e| Error::io(format!("cannot read {}", path.display()), e))
    }

    /// The bytes of a line `Name:   123 kB`.
    fn kilobytes(&self, text: &str, name: &str) -> Result<u64, Error> {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.split_whitespace().next()?.parse::<u64>().ok())
            .and_then(|kilobytes| kilobytes.checked_mul(1024))
            .ok_or_else(|| {
                let what = format!("the kernel reports no `{name}`; is /proc the real one?");
                Error::new(ErrorKind::Malformed, what)
            })
    }
}

#[cfg(any(target_os = "linux", test))]
fn stat_field(stat: &str, name: &str) -> u64 {
    stat.lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(key, _)| *key == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(all(feature = "sysinfo", any(not(target_os = "linux"), test)))]
#[derive(Debug)]
struct Portable {
    system: sysinfo::System,
    process: sysinfo::Pid,
}

#[cfg(all(feature = "sysinfo", any(not(target_os = "linux"), test)))]
impl Portable {
    fn new() -> Result<Self, Error> {
        let refused = |e: sysinfo::Error| Error::new(ErrorKind::Unsupported, e.to_string());
        let process = sysinfo::get_current_pid().map_err(refused)?;
        Ok(Portable { system: sysinfo::System::new().map_err(refused)?, process })
    }

    fn usage(&mut self) -> Result<MemoryUsage, Error> {
        self.system.refresh_memory();
        let only_us = sysinfo::ProcessesToUpdate::Some(&[self.process]);
        let only_memory = sysinfo::ProcessRefreshKind::nothing().with_memory();
        self.system.refresh_processes_specifics(only_us, false, only_memory);
        let limit_bytes = self.system.total_memory();
        Ok(MemoryUsage {
            process_bytes: self.system.process(self.process).map_or(0, |p| p.memory()),
            used_bytes: limit_bytes.saturating_sub(self.system.available_memory()),
            limit_bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fake(files: &[(&str, &str)]) -> (tempfile::TempDir, Linux) {
        let dir = tempfile::tempdir().unwrap();
        let base = [
            ("proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 600 kB\n"),
            ("proc/self/status", "Name:\tx\nVmRSS:\t    50 kB\n"),
        ];
        for (path, text) in base.iter().chain(files) {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let root = dir.path().to_owned();
        (dir, Linux { root })
    }

    const KB: u64 = 1024;

    #[test]
    fn without_groups_the_machine_counts() {
        let (_dir, linux) = fake(&[]);
        let (process_bytes, used_bytes, limit_bytes) = (50 * KB, 400 * KB, 1000 * KB);
        let expected = MemoryUsage { process_bytes, used_bytes, limit_bytes };
        assert_eq!(linux.usage().unwrap(), expected);
    }

    #[test]
    fn the_tightest_group_counts_and_droppable_pages_do_not() {
        let (_dir, linux) = fake(&[
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/b/memory.max", "max\n"),
            ("sys/fs/cgroup/a/b/memory.current", "300000\n"),
            ("sys/fs/cgroup/a/memory.max", "500000\n"),
            ("sys/fs/cgroup/a/memory.current", "450000\n"),
            ("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 50000\n"),
        ]);
        let usage = linux.usage().unwrap();
        assert_eq!((usage.used_bytes, usage.limit_bytes), (400_000, 500_000));
    }

    #[test]
    fn version_one_groups_and_their_no_limit() {
        let stat = ("sys/fs/cgroup/memory/memory.stat", "total_inactive_file 0\n");
        let used = ("sys/fs/cgroup/memory/memory.usage_in_bytes", "600000\n");
        let group = ("proc/self/cgroup", "7:cpu:/x\n4:memory:/docker/1\n");
        let limit = "sys/fs/cgroup/memory/memory.limit_in_bytes";
        let (_dir, linux) = fake(&[group, stat, used, (limit, "800000\n")]);
        let usage = linux.usage().unwrap();
        assert_eq!((usage.used_bytes, usage.limit_bytes), (600_000, 800_000));
        let (_dir, linux) = fake(&[group, stat, used, (limit, "9223372036854771712\n")]);
        assert_eq!(linux.usage().unwrap().limit_bytes, 1000 * KB);
    }

    #[test]
    fn a_kernel_that_says_nothing_is_an_error() {
        let (_dir, linux) = fake(&[("proc/meminfo", "MemTotal: lots kB\n")]);
        assert_eq!(linux.usage().unwrap_err().kind(), ErrorKind::Malformed);
        let linux = Linux { root: PathBuf::from("/nowhere") };
        assert_eq!(linux.usage().unwrap_err().kind(), ErrorKind::Io);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_memory_and_this_process_uses_some() {
        let usage = SystemSource::new().unwrap().usage().unwrap();
        assert!(usage.process_bytes > 0 && usage.used_bytes > 0);
        assert!(usage.limit_bytes >= usage.process_bytes);
    }

    #[cfg(feature = "sysinfo")]
    #[test]
    fn the_portable_source_agrees_that_there_is_memory() {
        let usage = Portable::new().unwrap().usage().unwrap();
        assert!(usage.process_bytes > 0 && usage.limit_bytes > usage.process_bytes);
    }
}
