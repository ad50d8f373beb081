//! Names as small numbers: class, field and method names repeat, and comparing them must be
//! cheap.

use std::collections::HashMap;
use std::sync::Arc;

use crate::heap_index::{Decoder, Encode, Encoder};

/// An interned name. Numbers follow the order of first use.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Symbol(pub(crate) u32);

/// All names of one dump.
#[derive(Default, Clone)]
pub(crate) struct Symbols {
    numbers: HashMap<Arc<str>, Symbol>,
    names: Vec<Arc<str>>,
}

impl Encode<'_> for Symbol {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.0.encode(to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Encode::decode(from).map(Symbol)
    }
}

impl Encode<'_> for Symbols {
    fn encode<'s>(&'s self, to: &mut Encoder<'s>) {
        self.names.encode(to);
    }
    fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let names: Vec<Arc<str>> = Encode::decode(from)?;
        let numbers = names.iter().cloned().zip((0..).map(Symbol)).collect();
        Some(Symbols { numbers, names })
    }
}

impl Symbols {
    pub(crate) fn intern(&mut self, name: &str) -> Symbol {
        if let Some(symbol) = self.numbers.get(name) {
            return *symbol;
        }
        let symbol = Symbol(self.names.len() as u32);
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, symbol);
        symbol
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn name(&self, symbol: Symbol) -> &str {
        self.names.get(symbol.0 as usize).map_or("", |name| name)
    }
}
