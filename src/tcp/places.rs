//! A table of what is kept of each open flow, by its number.

use super::event::FlowId;

/// A place for every [`FlowId`] so far, in blocks: so one more place never moves all others, which for a moment would take
/// twice the room.
#[derive(Debug)]
pub struct Places<T>(Vec<Box<[T; BLOCK]>>);

/// Places of one block.
const BLOCK: usize = 1 << 6;

impl<T> Default for Places<T> {
    fn default() -> Self {
        Places(Vec::new())
    }
}

impl<T: Default> Places<T> {
    /// How many places there are.
    pub fn count(&self) -> usize {
        self.0.len().saturating_mul(BLOCK)
    }

    /// What is kept of a flow.
    #[inline]
    pub fn get(&self, id: FlowId) -> Option<&T> {
        self.0.get(id.index() / BLOCK)?.get(id.index() % BLOCK)
    }

    /// The same, to change it.
    #[inline]
    pub fn get_mut(&mut self, id: FlowId) -> Option<&mut T> {
        self.0.get_mut(id.index() / BLOCK)?.get_mut(id.index() % BLOCK)
    }

    /// The place of a flow, made where there is none yet.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the place was made just before")]
    pub fn at(&mut self, id: FlowId) -> &mut T {
        while self.count() <= id.index() {
            self.0.push(Box::new(std::array::from_fn(|_| T::default())));
        }
        &mut self.0[id.index() / BLOCK][id.index() % BLOCK]
    }

    /// All places, in order.
    pub fn iter(&self) -> impl Iterator<Item = (FlowId, &T)> {
        (0_u32..).map(FlowId).zip(self.0.iter().flat_map(|block| &**block))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_made_with_all_before_it_and_keeps_what_it_got() {
        let mut places = Places::<u32>::default();
        assert_eq!(places.get(FlowId(0)), None);
        *places.at(FlowId(100)) = 7;
        *places.at(FlowId(3)) = 5;
        assert_eq!(
            (places.get(FlowId(100)), places.get(FlowId(3)), places.get(FlowId(99))),
            (Some(&7), Some(&5), Some(&0))
        );
        assert_eq!(places.get(FlowId(1000)), None);
        let kept: Vec<u32> = places.iter().filter(|(_, kept)| **kept != 0).map(|(id, _)| id.0).collect();
        assert_eq!(kept, [3, 100]);
    }
}
