//! Prints commands in the order in which they began, each together with its end.
//!
//! A command that begins while another endpoint's command is executing is held back until that one has ended. If too
//! much is held back, the open command is printed without its end, which is printed separately later. So memory is
//! bounded.

use std::{
    collections::VecDeque,
    io::{self, Write},
};

/// Most bytes of text that are held back.
const WAITING_BYTES: usize = 16 << 20;

/// Text that is printed in one piece: first `head`, then `body`. Both grow while the command is executing.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// The first line.
    pub(super) head: String,
    /// All others.
    pub(super) body: String,
}

/// The handle of a block that is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

struct Entry {
    block: Block,
    /// Its command has not ended.
    is_open: bool,
}

/// Blocks that wait to be printed.
pub(super) struct Queue<W> {
    out: W,
    entries: VecDeque<Entry>,
    /// The ticket of the first entry.
    first: u64,
    waiting_bytes: usize,
}

impl<W: Write> Queue<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, entries: VecDeque::new(), first: 0, waiting_bytes: 0 }
    }

    /// Prints a block after all before it.
    pub(super) fn push(&mut self, block: Block) -> io::Result<()> {
        if self.entries.is_empty() {
            return self.write(&block);
        }
        self.append(block, false);
        Ok(())
    }

    /// Adds a block that is not complete. `give_up` completes those that wait for too long.
    pub(super) fn open(&mut self, block: Block, give_up: impl FnMut(&mut Block)) -> io::Result<Ticket> {
        let ticket = Ticket(self.first.saturating_add(self.entries.len() as u64));
        self.append(block, true);
        self.relieve(give_up)?;
        Ok(ticket)
    }

    /// Completes a block and prints what was held back for it. Returns false, without calling `complete`, if the block
    /// was printed already.
    pub(super) fn close(&mut self, ticket: Ticket, complete: impl FnOnce(&mut Block)) -> io::Result<bool> {
        let index = ticket.0.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) else { return Ok(false) };
        let before = entry.block.len();
        complete(&mut entry.block);
        entry.is_open = false;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(before).saturating_add(entry.block.len());
        self.flush()?;
        Ok(true)
    }

    /// Prints all blocks before the first incomplete one.
    fn flush(&mut self) -> io::Result<()> {
        while self.entries.front().is_some_and(|entry| !entry.is_open) {
            self.print_front()?;
        }
        Ok(())
    }

    /// Prints the oldest blocks, complete or not, until little enough is held back.
    fn relieve(&mut self, mut give_up: impl FnMut(&mut Block)) -> io::Result<()> {
        while self.waiting_bytes > WAITING_BYTES
            && let Some(entry) = self.entries.front_mut()
        {
            if std::mem::replace(&mut entry.is_open, false) {
                let before = entry.block.len();
                give_up(&mut entry.block);
                self.waiting_bytes = self.waiting_bytes.saturating_sub(before).saturating_add(entry.block.len());
            }
            self.flush()?;
        }
        Ok(())
    }

    fn append(&mut self, block: Block, is_open: bool) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(block.len());
        self.entries.push_back(Entry { block, is_open });
    }

    fn print_front(&mut self) -> io::Result<()> {
        let Some(entry) = self.entries.pop_front() else { return Ok(()) };
        self.first = self.first.saturating_add(1);
        self.waiting_bytes = self.waiting_bytes.saturating_sub(entry.block.len());
        self.write(&entry.block)
    }

    fn write(&mut self, block: &Block) -> io::Result<()> {
        self.out.write_all(block.head.as_bytes())?;
        self.out.write_all(block.body.as_bytes())
    }

    /// Prints all that is held back. Returns the writer.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        self.out.flush()?;
        Ok(self.out)
    }
}

impl Block {
    fn len(&self) -> usize {
        // What the queue itself takes, so that empty blocks count, too.
        self.head.len().saturating_add(self.body.len()).saturating_add(size_of::<Entry>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(head: &str) -> Block {
        Block { head: head.to_owned(), body: String::new() }
    }

    fn give_up(block: &mut Block) {
        block.head.push('?');
    }

    #[test]
    fn blocks_are_printed_in_the_order_of_their_beginnings() {
        let mut text = Vec::new();
        let mut queue = Queue::new(&mut text);
        queue.push(block("a ")).unwrap();
        let first = queue.open(block("b"), give_up).unwrap();
        let second = queue.open(block("c"), give_up).unwrap();
        queue.push(block("d ")).unwrap();
        assert!(queue.close(second, |block| block.head.push_str("! ")).unwrap());
        assert!(queue.close(first, |block| block.head.push_str("! ")).unwrap());
        queue.push(block("e")).unwrap();
        queue.finish().unwrap();
        assert_eq!(text, b"a b! c! d e");
    }

    #[test]
    fn too_much_does_not_wait() {
        let mut text = Vec::new();
        let mut queue = Queue::new(&mut text);
        let first = queue.open(block("a"), give_up).unwrap();
        let second = queue.open(block(&"b".repeat(WAITING_BYTES)), give_up).unwrap();
        let third = queue.open(block("c"), give_up).unwrap();
        assert!(!queue.close(first, |_| unreachable!()).unwrap());
        assert!(!queue.close(second, |_| unreachable!()).unwrap());
        assert!(queue.close(third, |block| block.head.push('!')).unwrap());
        queue.finish().unwrap();
        assert!(text.starts_with(b"a?bb") && text.ends_with(b"bb?c!"));
    }
}
