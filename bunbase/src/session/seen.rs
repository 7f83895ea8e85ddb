//! Tokens whose tag was found right a moment ago.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::token::Claims;

/// How many tokens are remembered at most: about 0.7 MB of usual ones, 8 MB of the longest.
const PLACES: usize = 1024;

/// By how many bytes at its end a token finds its place: most of its tag, which nobody can choose.
const END: usize = 32;

/// Tokens and what they say, each in the one place that its tag leads to, so that there are never more of them than places. It spares
/// the next request the arithmetic and nothing else: whether a token has expired, or its session has ended, is asked each time.
pub(super) struct Seen {
    /// Keeps secret which tokens share a place.
    state: RandomState,
    places: Box<[Mutex<Option<Token>>]>,
}

struct Token {
    hash: u64,
    text: Box<str>,
    claims: Arc<Claims>,
}

impl Seen {
    pub(super) fn new() -> Self {
        Self { state: RandomState::new(), places: (0..PLACES).map(|_| Mutex::default()).collect() }
    }

    /// Returns what a token says that was verified before. Does not allocate.
    pub(super) fn find(&self, token: &str) -> Option<Arc<Claims>> {
        let hash = self.hash(token);
        let place = self.place(hash);
        // By the hash first: how long two texts are compared would tell how much of a token somebody has guessed.
        let known = place.as_ref().filter(|known| known.hash == hash && *known.text == *token)?;
        Some(known.claims.clone())
    }

    /// Remembers a token that was verified, in the place of another.
    pub(super) fn remember(&self, token: &str, claims: &Arc<Claims>) {
        let hash = self.hash(token);
        *self.place(hash) = Some(Token { hash, text: token.into(), claims: claims.clone() });
    }

    fn hash(&self, token: &str) -> u64 {
        let bytes = token.as_bytes();
        self.state.hash_one(bytes.last_chunk::<END>().map_or(bytes, |end| end))
    }

    fn place(&self, hash: u64) -> MutexGuard<'_, Option<Token>> {
        #[expect(clippy::cast_possible_truncation, reason = "the lower bits are what is wanted")]
        let place = hash as usize % PLACES;
        self.places[place].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seen").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_letter_for_letter() {
        let seen = Seen::new();
        let token = format!("bbs1.{}", "abcdefgh".repeat(30));
        assert!(seen.find(&token).is_none());
        seen.remember(&token, &Arc::new(Claims::of("ann")));
        assert_eq!(seen.find(&token).unwrap().user, "ann");
        for at in 0..token.len() {
            let mut other = token.clone();
            other.replace_range(at..=at, "~");
            assert!(seen.find(&other).is_none(), "{at}");
            assert!(seen.find(&token[..at]).is_none() && seen.find(&token[at + 1..]).is_none(), "{at}");
        }
        assert!(seen.find(&format!("{token}=")).is_none());
    }

    #[test]
    fn no_more_are_remembered_than_there_are_places() {
        let seen = Seen::new();
        let token = |number: usize| format!("bbs1.{number:040}");
        let all = 4 * PLACES;
        (0..all).for_each(|number| seen.remember(&token(number), &Arc::new(Claims::of(&number.to_string()))));
        let known: Vec<usize> = (0..all).filter(|number| seen.find(&token(*number)).is_some()).collect();
        assert!(known.len() <= PLACES && known.contains(&(all - 1)), "{}", known.len());
        assert!(known.iter().all(|number| seen.find(&token(*number)).unwrap().user == number.to_string()));
    }
}
