//! What the collector starts from: roots, and threads with their stacks.

use leakline_hprof::{GcRoot, GcRootKind, Line, java_class_name};

use crate::heap_index::{encode_fields, encode_variants};
use crate::index::AddressIndex;
use crate::scan::Names;

/// An object that is kept without any object referring to it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Root {
    /// The object's index.
    pub object: u32,
    /// What keeps it.
    pub kind: RootKind,
}

/// What keeps a root. In order of how well it explains why the object lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum RootKind {
    /// A class that is never unloaded.
    SystemClass,
    /// A thread that runs.
    Thread,
    /// A global reference of native code.
    JniGlobal,
    /// On the stack of a thread that the dump does not have.
    ThreadStack,
    /// A locked monitor.
    Monitor,
    /// Kept by the virtual machine itself, for various reasons.
    VirtualMachine,
    /// Waits for its finalizer.
    Finalizing,
    /// Probably a local variable of a virtual thread that waits; the dump leaves its stack out.
    VirtualThread,
    /// Not said.
    Unknown,
    /// Stands in for a root that is missing from a damaged dump.
    StandIn,
}

impl RootKind {
    pub(crate) const ALL: [RootKind; 10] = [
        RootKind::SystemClass,
        RootKind::Thread,
        RootKind::JniGlobal,
        RootKind::ThreadStack,
        RootKind::Monitor,
        RootKind::VirtualMachine,
        RootKind::Finalizing,
        RootKind::VirtualThread,
        RootKind::Unknown,
        RootKind::StandIn,
    ];

    /// In the words of reports.
    pub fn text(self) -> &'static str {
        match self {
            RootKind::SystemClass => "system class",
            RootKind::Thread => "thread",
            RootKind::JniGlobal => "JNI global",
            RootKind::ThreadStack => "thread stack",
            RootKind::Monitor => "monitor",
            RootKind::VirtualMachine => "virtual machine",
            RootKind::Finalizing => "finalizer",
            RootKind::VirtualThread => "stack of a waiting virtual thread",
            RootKind::Unknown => "unknown",
            RootKind::StandIn => "lost with the cut-off part of the dump",
        }
    }
}

encode_variants!(RootKind {
    SystemClass,
    Thread,
    JniGlobal,
    ThreadStack,
    Monitor,
    VirtualMachine,
    Finalizing,
    Unknown,
    VirtualThread,
    StandIn
});
encode_fields!(Root { object, kind });
encode_fields!(Thread {
    object,
    name,
    frames,
    locals,
    serial
});
encode_fields!(Frame {
    class,
    method,
    position
});
encode_fields!(Local { frame, object });

/// A live thread.
#[derive(Clone, Debug)]
pub struct Thread {
    /// The thread object's index.
    pub object: u32,
    /// Its name; empty when the dump does not tell.
    pub name: String,
    /// Its stack, innermost first.
    pub frames: Vec<Frame>,
    /// What its stack refers to, in the order of the frames.
    pub locals: Vec<Local>,
    pub(crate) serial: u32,
}

/// A frame of a thread's stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The class that declares the method.
    pub class: String,
    /// The method.
    pub method: String,
    /// `RefB.java:17`, `Native Method`, or empty.
    pub position: String,
}

impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.class, self.method)?;
        if !self.position.is_empty() {
            write!(f, " ({})", self.position)?;
        }
        Ok(())
    }
}

const UNKNOWN: &str = "<unknown>";

impl Frame {
    fn unknown() -> Frame {
        Frame {
            class: UNKNOWN.to_owned(),
            method: UNKNOWN.to_owned(),
            position: String::new(),
        }
    }
}

/// An object on a thread's stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Local {
    /// Index into the thread's frames; `None` when the dump does not say.
    pub frame: Option<u32>,
    /// The object's index.
    pub object: u32,
}

/// Sorts the dump's roots into threads with what their stacks hold, and all others.
pub(crate) fn resolve(
    found: &[GcRoot],
    names: &Names<'_>,
    index: &AddressIndex,
) -> (Vec<Root>, Vec<Thread>) {
    let mut budget = MAX_FRAMES_IN_ALL;
    let mut threads: Vec<Thread> = found
        .iter()
        .filter_map(|root| match root.kind {
            GcRootKind::ThreadObject {
                thread_serial,
                trace_serial,
            } => Some(Thread {
                object: index.find(root.object_id)?,
                name: String::new(),
                frames: frames(trace_serial, names, &mut budget),
                locals: Vec::new(),
                serial: thread_serial,
            }),
            _ => None,
        })
        .collect();
    // a thread may be listed twice; of two with the same serial the one with a stack is right
    threads.sort_by_key(|thread| (thread.serial, thread.frames.is_empty()));
    threads.dedup_by_key(|thread| thread.serial);

    let mut roots: Vec<Root> = threads
        .iter()
        .map(|thread| Root {
            object: thread.object,
            kind: RootKind::Thread,
        })
        .collect();
    for root in found {
        let Some(object) = index.find(root.object_id) else {
            continue;
        };
        let kind = match root.kind {
            GcRootKind::ThreadObject { .. } | GcRootKind::Unreachable => continue,
            GcRootKind::JniLocal {
                thread_serial,
                frame,
            }
            | GcRootKind::JavaFrame {
                thread_serial,
                frame,
            } => {
                if attach(&mut threads, thread_serial, Local { frame, object }) {
                    continue;
                }
                RootKind::ThreadStack
            }
            GcRootKind::NativeStack { thread_serial }
            | GcRootKind::ThreadBlock { thread_serial } => {
                let local = Local {
                    frame: None,
                    object,
                };
                if attach(&mut threads, thread_serial, local) {
                    continue;
                }
                RootKind::ThreadStack
            }
            GcRootKind::JniGlobal { .. } => RootKind::JniGlobal,
            GcRootKind::StickyClass => RootKind::SystemClass,
            GcRootKind::MonitorUsed | GcRootKind::JniMonitor { .. } => RootKind::Monitor,
            GcRootKind::Finalizing => RootKind::Finalizing,
            GcRootKind::InternedString
            | GcRootKind::Debugger
            | GcRootKind::ReferenceCleanup
            | GcRootKind::VmInternal => RootKind::VirtualMachine,
            GcRootKind::Unknown => RootKind::Unknown,
        };
        roots.push(Root { object, kind });
    }
    threads.sort_by_key(|thread| (thread.object, thread.frames.is_empty(), thread.serial));
    // one object, one thread, even if a dump gives it several serials
    threads.dedup_by(|repeated, thread| {
        let is_same = repeated.object == thread.object;
        if is_same {
            let locals = repeated.locals.drain(..);
            thread.locals.extend(locals.map(|local| Local {
                frame: None,
                ..local
            }));
        }
        is_same
    });
    for thread in &mut threads {
        thread.locals.sort_unstable();
        thread.locals.dedup();
    }
    (roots, threads)
}

fn attach(threads: &mut [Thread], serial: u32, local: Local) -> bool {
    match threads.binary_search_by_key(&serial, |thread| thread.serial) {
        Ok(position) => {
            threads[position].locals.push(local);
            true
        }
        Err(_) => false,
    }
}

/// Longest stack that is kept: a stack overflow leaves tens of thousands of equal frames.
const MAX_FRAMES: usize = 1024;
/// Frames of all threads that are kept; a hostile dump could give one stack to a million threads.
const MAX_FRAMES_IN_ALL: usize = 1 << 21;

fn frames(trace_serial: u32, names: &Names<'_>, budget: &mut usize) -> Vec<Frame> {
    let Some(trace) = names.traces.get(&trace_serial) else {
        return Vec::new();
    };
    let text = |id: u64| names.string(id).filter(|text| !text.is_empty());
    let kept = trace.len().min(MAX_FRAMES).min(*budget);
    *budget -= kept;
    trace
        .iter()
        .take(kept)
        .map(|id| {
            // locals count frames, so that one without a record keeps its place
            let Some(frame) = names.frames.get(&id) else {
                return Frame::unknown();
            };
            let class = names
                .class_serials
                .get(&frame.class_serial)
                .and_then(|name| names.string(*name))
                .map_or_else(|| UNKNOWN.to_owned(), |name| java_class_name(&name));
            let source = text(frame.source_file_id);
            let position = match (source, frame.line) {
                (_, Line::Native) => "Native Method".to_owned(),
                (Some(source), Line::Number(line)) => format!("{source}:{line}"),
                (Some(source), _) => source,
                (None, _) => String::new(),
            };
            Frame {
                class,
                method: text(frame.method_name_id).unwrap_or_else(|| UNKNOWN.to_owned()),
                position,
            }
        })
        .collect()
}
