//! What the kernel and a run of samples say: memory, processor time, connections, percentiles.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

/// Ticks of processor time a second, as Linux counts them for user space on every architecture.
const TICKS: f64 = 100.0;
/// The kernel's number for a connection that both sides hold.
const ESTABLISHED: &str = "01";

/// Resident memory of a process in MiB.
pub(crate) fn resident(pid: u32) -> Result<f64> {
    memory(pid, "VmRSS:")
}

/// The most resident memory that a process ever had, in MiB.
pub(crate) fn peak(pid: u32) -> Result<f64> {
    memory(pid, "VmHWM:")
}

fn memory(pid: u32, name: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().next())
        .with_context(|| format!("no {name}"))?;
    Ok(kibibytes.parse::<f64>()? / 1024.0)
}

/// Processor time that a process has used, in seconds.
pub(crate) fn processor(pid: u32) -> Result<f64> {
    times(&pid.to_string(), [11, 12])
}

/// Processor time that the children have used for which this process has waited, in seconds.
pub(crate) fn processor_of_children() -> Result<f64> {
    times("self", [13, 14])
}

/// The sum of two fields of a process's `stat`, counted from its state.
fn times(process: &str, fields: [usize; 2]) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name of the program, in parentheses, may hold blanks.
    let after = stat.rsplit_once(')').context("no program name")?.1;
    let all: Vec<&str> = after.split_whitespace().collect();
    let ticks =
        |index: usize| -> Result<f64> { Ok(all.get(index).context("too few fields")?.parse::<f64>()?) };
    Ok((ticks(fields[0])? + ticks(fields[1])?) / TICKS)
}

/// Connections over IPv4 from this machine to a port.
pub(crate) fn connections_to(port: u16) -> Result<usize> {
    Ok(connections(&std::fs::read_to_string("/proc/net/tcp")?, port))
}

/// Lines: `sl local_address rem_address st …`, addresses as `HEX:PORT` in hexadecimal.
fn connections(table: &str, port: u16) -> usize {
    let remote = format!(":{port:04X}");
    let held = |line: &&str| {
        let mut fields = line.split_whitespace().skip(2);
        fields.next().is_some_and(|address| address.ends_with(&remote)) && fields.next() == Some(ESTABLISHED)
    };
    table.lines().filter(held).count()
}

/// The value below which a share of the samples lies.
pub(crate) fn percentile(samples: &mut [f64], share: f64) -> f64 {
    samples.sort_by(f64::total_cmp);
    let index = ((samples.len() as f64 - 1.0) * share).round() as usize;
    samples.get(index).copied().unwrap_or(f64::NAN)
}

/// The middle of the samples.
pub(crate) fn median(samples: &mut [f64]) -> f64 {
    percentile(samples, 0.5)
}

/// The largest sample.
pub(crate) fn worst(samples: &mut [f64]) -> f64 {
    percentile(samples, 1.0)
}

/// Seconds since a moment.
pub(crate) fn since(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

/// Lets processes work for a while: what is measured is what they do in that time.
pub(crate) async fn watch_for(time: Duration) {
    tokio::time::sleep(time).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples = [4.0, 1.0, 3.0, 2.0, 5.0];
        assert_eq!(
            (
                median(&mut samples),
                worst(&mut samples),
                percentile(&mut samples, 0.0)
            ),
            (3.0, 5.0, 1.0)
        );
        assert!(median(&mut []).is_nan());
    }

    #[test]
    fn counts_held_connections_to_a_port_and_not_from_it() {
        let table = "  sl  local_address rem_address   st\n\
                     0: 0100007F:1F90 00000000:0000 0A\n\
                     1: 0100007F:C001 0100007F:1F90 01\n\
                     2: 0100007F:1F90 0100007F:C001 01\n\
                     3: 0100007F:C002 0100007F:1F90 06\n";
        assert_eq!((connections(table, 8080), connections(table, 80)), (1, 0));
    }

    #[test]
    fn a_process_has_memory_and_has_used_the_processor() {
        let me = std::process::id();
        assert!(resident(me).unwrap() > 0.1);
        assert!(peak(me).unwrap() > 0.1);
        assert!(processor(me).unwrap() >= 0.0);
        assert!(processor_of_children().unwrap() >= 0.0);
    }
}
