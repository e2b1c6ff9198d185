//! What a thing must be able to do to be pooled: say its size and be made fit for the next user.

/// Something that a [`BufferPool`](crate::BufferPool) can lend again and again.
pub trait Buffer: Send {
    /// The heap bytes that the buffer holds on to, used or not. O(1).
    fn bytes(&self) -> usize;

    /// Forgets the contents and keeps the memory.
    fn clear(&mut self);

    /// Overwrites the contents and then clears them. Against leaks between users of one process;
    /// keys and passwords want a crate made for it, such as `zeroize`.
    fn wipe(&mut self);
}

/// What a pool does to a buffer that comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnReturn {
    /// [`Buffer::clear`]: the next user gets it empty.
    #[default]
    Clear,
    /// [`Buffer::wipe`]: as `Clear`, and the old contents are overwritten.
    Wipe,
    /// Nothing: the next user sees what the last one left, and must not mind.
    Keep,
}

impl<T: Send + Clone + Default> Buffer for Vec<T> {
    fn bytes(&self) -> usize {
        self.capacity() * size_of::<T>()
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn wipe(&mut self) {
        self.fill(T::default());
        Vec::clear(self);
    }
}

impl Buffer for String {
    fn bytes(&self) -> usize {
        self.capacity()
    }

    fn clear(&mut self) {
        String::clear(self);
    }

    fn wipe(&mut self) {
        let mut bytes = std::mem::take(self).into_bytes();
        Buffer::wipe(&mut bytes);
        // An empty vector is valid text; its capacity survives the round trip.
        *self = String::from_utf8(bytes).unwrap_or_default();
    }
}
