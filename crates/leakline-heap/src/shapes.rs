//! Class and size of every object in four bytes: objects that share both have the same shape.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::classes::{ClassNumber, Classes};
use crate::graph::NONE;
use crate::heap_index::encode_fields;
use crate::symbols::Symbol;

/// What is the same for many objects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) class: ClassNumber,
    /// Of the class.
    pub(crate) name: Symbol,
    /// In units of [`SIZE_UNIT`](crate::graph::SIZE_UNIT).
    pub(crate) size: u32,
    /// Whether no object of the class refers to anything but the class.
    pub(crate) is_leaf: bool,
}

/// The shapes of all objects.
pub(crate) struct Shapes<'a> {
    table: Vec<Shape>,
    of: Cow<'a, [u32]>,
}

encode_fields!(Shape {
    class,
    name,
    size,
    is_leaf
});
encode_fields!(Shapes<'a> { table, of });

impl Shapes<'_> {
    /// From the class and the size of each object. `refers` tells of each class whether any of
    /// its objects has a row of references.
    pub(crate) fn new(
        classes: &Classes,
        mut class_of: Vec<ClassNumber>,
        sizes: Vec<u32>,
        refers: &[bool],
    ) -> Shapes<'static> {
        /// Sizes below this are looked up by index.
        const SMALL: usize = 1 << 10;
        let mut table = Vec::new();
        let mut small: Vec<Vec<u32>> = vec![Vec::new(); refers.len()];
        let mut large: HashMap<(ClassNumber, u32), u32> = HashMap::new();
        for (class, size) in class_of.iter_mut().zip(sizes) {
            let number = *class;
            let mut add = || {
                table.push(Shape {
                    class: number,
                    name: classes.get(number).name,
                    size,
                    is_leaf: !refers[number as usize],
                });
                table.len() as u32 - 1
            };
            let by_size = &mut small[number as usize];
            *class = if size as usize >= SMALL {
                *large.entry((number, size)).or_insert_with(add)
            } else {
                if by_size.len() <= size as usize {
                    by_size.resize(size as usize + 1, NONE);
                }
                let shape = &mut by_size[size as usize];
                if *shape == NONE {
                    *shape = add();
                }
                *shape
            };
        }
        Shapes {
            table,
            of: class_of.into(),
        }
    }

    /// Number of objects.
    pub(crate) fn len(&self) -> usize {
        self.of.len()
    }

    #[inline]
    pub(crate) fn get(&self, object: u32) -> &Shape {
        &self.table[self.of[object as usize] as usize]
    }
}
