//! Follows a Python pickle as data: what it would build is written down, nothing is ever called or imported.

use std::collections::HashMap;

/// Values that a pickle may build; more are refused. Each takes about 80 bytes.
const MOST_VALUES: usize = 1 << 20;

/// A value; what it holds stands in [`Pickle::items`] and [`Pickle::pairs`].
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Int(i64),
    Text(String),
    /// `module.name`, not imported.
    Global(String),
    /// Its items.
    Sequence,
    /// Its pairs.
    Dict,
    /// A call that was not made: function and arguments; its pairs if it was filled like a dictionary.
    Object,
    /// Something outside of the pickle; one item that says what.
    Persistent,
    /// Numbers, bytes and the like that say nothing about tensors.
    Other,
}

#[derive(Debug)]
struct Node {
    value: Value,
    items: Vec<u32>,
    pairs: Vec<u32>,
}

/// A pickle, followed to its end.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// What it stands for.
    pub(super) root: u32,
    /// What each [`Value::Persistent`] names, and itself.
    pub(super) persistent: Vec<(u32, u32)>,
    /// How long it is.
    pub(super) bytes: usize,
}

impl Pickle {
    pub(super) fn value(&self, at: u32) -> &Value {
        self.nodes.get(at as usize).map_or(&Value::Other, |node| &node.value)
    }

    pub(super) fn items(&self, at: u32) -> &[u32] {
        self.nodes.get(at as usize).map_or(&[], |node| &node.items)
    }

    /// Keys and values in turn.
    pub(super) fn pairs(&self, at: u32) -> &[u32] {
        self.nodes.get(at as usize).map_or(&[], |node| &node.pairs)
    }

    pub(super) fn text(&self, at: u32) -> Option<&str> {
        match self.value(at) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Follows the pickle at the beginning of `bytes`; says why if it cannot.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut machine = Machine { left: bytes, stack: vec![], marks: vec![], memo: HashMap::new(), nodes: vec![], persistent: vec![] };
        let root = machine.run()?;
        let bytes = bytes.len() - machine.left.len();
        Ok(Self { nodes: machine.nodes, root, persistent: machine.persistent, bytes })
    }
}

const CUT: &str = "it ends too early";
const EMPTY: &str = "it takes from an empty stack";

struct Machine<'a> {
    left: &'a [u8],
    stack: Vec<u32>,
    marks: Vec<usize>,
    memo: HashMap<u32, u32>,
    nodes: Vec<Node>,
    persistent: Vec<(u32, u32)>,
}

impl<'a> Machine<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let (head, tail) = self.left.split_at_checked(count).ok_or(CUT)?;
        self.left = tail;
        Ok(head)
    }

    /// A little-endian number of `count` bytes, at most 8.
    fn number(&mut self, count: usize) -> Result<u64, &'static str> {
        Ok(self.take(count)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    fn counted(&mut self, width: usize) -> Result<&'a [u8], &'static str> {
        let count = usize::try_from(self.number(width)?).map_err(|_| CUT)?;
        self.take(count)
    }

    fn line(&mut self) -> Result<String, &'static str> {
        let end = self.left.iter().position(|&byte| byte == b'\n').ok_or(CUT)?;
        let line = self.take(end + 1)?;
        Ok(String::from_utf8_lossy(&line[..end]).into_owned())
    }

    fn pop(&mut self) -> Result<u32, &'static str> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { self.stack.pop().ok_or(EMPTY) } else { Err(EMPTY) }
    }

    fn top(&mut self) -> Result<&mut Node, &'static str> {
        let at = *self.stack.last().ok_or(EMPTY)?;
        self.nodes.get_mut(at as usize).ok_or(EMPTY)
    }

    /// What was pushed since the last mark.
    fn since_mark(&mut self) -> Result<Vec<u32>, &'static str> {
        let mark = self.marks.pop().ok_or("it looks for a mark that is not there")?;
        if mark > self.stack.len() { Err(EMPTY) } else { Ok(self.stack.split_off(mark)) }
    }

    fn push(&mut self, value: Value, items: Vec<u32>) -> Result<(), &'static str> {
        if self.nodes.len() >= MOST_VALUES {
            return Err("it builds too many values");
        }
        self.stack.push(self.nodes.len() as u32);
        self.nodes.push(Node { value, items, pairs: vec![] });
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        self.push(Value::Text(String::from_utf8_lossy(bytes).into_owned()), vec![])
    }

    fn sequence(&mut self, count: usize) -> Result<(), &'static str> {
        let mut items = (0..count).map(|_| self.pop()).collect::<Result<Vec<_>, _>>()?;
        items.reverse();
        self.push(Value::Sequence, items)
    }

    fn remember(&mut self, place: u32) -> Result<(), &'static str> {
        self.memo.insert(place, *self.stack.last().ok_or(EMPTY)?);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), &'static str> {
        self.stack.push(*self.memo.get(&place).ok_or("it recalls what it never remembered")?);
        Ok(())
    }

    /// Operations by their codes in Python's `pickletools`.
    fn run(&mut self) -> Result<u32, &'static str> {
        loop {
            let operation = self.number(1)? as u8;
            match operation {
                b'.' => return self.pop(),
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.since_mark()?),
                b'N' | 0x88 | 0x89 => self.push(Value::Other, vec![])?,
                b'G' => {
                    self.take(8)?;
                    self.push(Value::Other, vec![])?;
                }
                b'K' => {
                    let number = self.number(1)?;
                    self.push(Value::Int(number as i64), vec![])?;
                }
                b'M' => {
                    let number = self.number(2)?;
                    self.push(Value::Int(number as i64), vec![])?;
                }
                b'J' => {
                    let number = self.number(4)? as u32 as i32;
                    self.push(Value::Int(number.into()), vec![])?;
                }
                0x8a => {
                    let bytes = self.counted(1)?;
                    self.push(long(bytes), vec![])?;
                }
                0x8b => {
                    let bytes = self.counted(4)?;
                    self.push(long(bytes), vec![])?;
                }
                b'I' | b'L' => {
                    let line = self.line()?;
                    let number = line.trim_end_matches('L').parse().map_or(Value::Other, Value::Int);
                    self.push(number, vec![])?;
                }
                b'F' => {
                    self.line()?;
                    self.push(Value::Other, vec![])?;
                }
                b'V' | b'S' => {
                    let line = self.line()?;
                    self.text(line.trim_matches('\'').as_bytes())?;
                }
                b'U' | 0x8c | b'C' => {
                    let bytes = self.counted(1)?;
                    self.text(bytes)?;
                }
                b'X' | b'T' | b'B' => {
                    let bytes = self.counted(4)?;
                    self.text(bytes)?;
                }
                0x8d | 0x8e | 0x96 => {
                    let bytes = self.counted(8)?;
                    self.text(bytes)?;
                }
                b'c' => {
                    let name = format!("{}.{}", self.line()?, self.line()?);
                    self.push(Value::Global(name), vec![])?;
                }
                0x93 => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let text = |at: u32| match self.nodes.get(at as usize).map(|node| &node.value) {
                        Some(Value::Text(text)) => text.clone(),
                        _ => String::new(),
                    };
                    let name = format!("{}.{}", text(module), text(name));
                    self.push(Value::Global(name), vec![])?;
                }
                b')' | b']' | 0x8f => self.push(Value::Sequence, vec![])?,
                b'}' => self.push(Value::Dict, vec![])?,
                0x85 => self.sequence(1)?,
                0x86 => self.sequence(2)?,
                0x87 => self.sequence(3)?,
                b't' | b'l' | 0x91 => {
                    let items = self.since_mark()?;
                    self.push(Value::Sequence, items)?;
                }
                b'd' => {
                    let pairs = self.since_mark()?;
                    self.push(Value::Dict, vec![])?;
                    self.top()?.pairs = pairs;
                }
                b'a' => {
                    let item = self.pop()?;
                    self.top()?.items.push(item);
                }
                b'e' | 0x90 => {
                    let items = self.since_mark()?;
                    self.top()?.items.extend(items);
                }
                b's' => {
                    let (value, key) = (self.pop()?, self.pop()?);
                    self.top()?.pairs.extend([key, value]);
                }
                b'u' => {
                    let pairs = self.since_mark()?;
                    self.top()?.pairs.extend(pairs);
                }
                b'R' | 0x81 => {
                    let (arguments, function) = (self.pop()?, self.pop()?);
                    self.push(Value::Object, vec![function, arguments])?;
                }
                // State of an object: attributes, not what it holds.
                b'b' => drop(self.pop()?),
                b'Q' => {
                    let named = self.pop()?;
                    self.push(Value::Persistent, vec![named])?;
                    let own = self.nodes.len() as u32 - 1;
                    self.persistent.push((named, own));
                }
                b'q' => {
                    let place = self.number(1)? as u32;
                    self.remember(place)?;
                }
                b'r' => {
                    let place = self.number(4)? as u32;
                    self.remember(place)?;
                }
                0x94 => self.remember(self.memo.len() as u32)?,
                b'h' => {
                    let place = self.number(1)? as u32;
                    self.recall(place)?;
                }
                b'j' => {
                    let place = self.number(4)? as u32;
                    self.recall(place)?;
                }
                b'2' => self.stack.push(*self.stack.last().ok_or(EMPTY)?),
                _ => return Err("it has an operation that checkpoints do not need"),
            }
        }
    }
}

/// A two's complement number; one of more than 64 bits says nothing about tensors.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::Other;
    }
    let sign = if bytes.last().is_some_and(|&byte| byte >= 0x80) { -1i64 } else { 0 };
    Value::Int(bytes.iter().rev().fold(sign, |number, &byte| number << 8 | i64::from(byte)))
}
