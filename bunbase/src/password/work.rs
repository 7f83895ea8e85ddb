//! Hashing and checking, on threads of their own.

use std::{
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use argon2::{
    Argon2, Params,
    password_hash::{Error as HashError, PasswordHasher, PasswordVerifier, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::{Costs, Weakness, judge};
use crate::{Error, Result};

/// How long somebody waits for a thread.
const PATIENCE: Duration = Duration::from_secs(10);

/// The most that the hash of a password may cost to check: 1 GiB and a hundred passes.
const MOST_MEMORY_KIB: u32 = 1 << 20;
const MOST_PASSES: u32 = 100;

/// Passwords; cheap to clone. An action has it as `ctx.passwords()`.
///
/// ```
/// # use bunbase::password::{Checked, Passwords};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> bunbase::Result<()> {
/// let passwords = Passwords::default();
/// assert!(passwords.judge("correct horse", &[]).await?.is_ok());
/// assert!(passwords.judge("password1", &[]).await?.is_err());
/// let hash = passwords.hash("correct horse").await?;
/// assert_eq!(passwords.check("correct horse", Some(&hash)).await?, Checked::Right { rehash: false });
/// assert_eq!(passwords.check("battery staple", Some(&hash)).await?, Checked::Wrong);
/// // Nobody has this name; that takes as long.
/// assert_eq!(passwords.check("correct horse", None).await?, Checked::Wrong);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Passwords(Arc<Inner>);

struct Inner {
    costs: Costs,
    least: usize,
    turns: Semaphore,
    /// The hash of nobody's password, for those who do not exist.
    nobodys: OnceLock<String>,
}

/// What became of a password that was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is the one.
    Right {
        /// Whether the hash was made at other costs than are set now: make it anew, while the password is there.
        rehash: bool,
    },
    /// It is not, or there is none.
    Wrong,
}

impl Checked {
    /// Whether it is the one.
    #[must_use]
    pub fn is_right(self) -> bool {
        matches!(self, Self::Right { .. })
    }
}

impl Passwords {
    /// Hashes at these costs, and asks for so many characters.
    ///
    /// # Errors
    /// 500 when Argon2 has no such costs.
    pub fn new(costs: Costs, least_characters: usize) -> Result<Self> {
        costs.hasher()?;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let turns = Semaphore::new((cores / 2).max(1));
        Ok(Self(Arc::new(Inner { costs, least: least_characters, turns, nobodys: OnceLock::new() })))
    }

    /// Judges a password before it is taken. `about` is what an attacker knows of its owner: name, address, the name of the service.
    ///
    /// # Errors
    /// The inner one says what is wrong with it, in words that complete "the password …". 503 when too many wait.
    pub async fn judge(&self, password: &str, about: &[&str]) -> Result<std::result::Result<(), Weakness>> {
        let (password, least) = (password.to_owned(), self.0.least);
        let about: Vec<String> = about.iter().map(|text| (*text).to_owned()).collect();
        self.turn(move || {
            let about: Vec<&str> = about.iter().map(String::as_str).collect();
            Ok(judge::judge(&password, least, &about))
        })
        .await
    }

    /// Hashes a password, with a salt of its own.
    ///
    /// # Errors
    /// 422 when it is longer than 1024 bytes; 503 when too many wait.
    pub async fn hash(&self, password: &str) -> Result<String> {
        if password.len() > judge::LONGEST {
            return Err(Error::new(422, "password_too_long", Weakness::Long(judge::LONGEST).to_string()));
        }
        let (password, costs) = (password.to_owned(), self.0.costs);
        self.turn(move || hash(&password, costs)).await
    }

    /// Checks a password against a hash; `None` stands for somebody who does not exist or has no password, and takes as long.
    ///
    /// # Errors
    /// 500 when the hash is none of Argon2; 503 when too many wait.
    pub async fn check(&self, password: &str, hash: Option<&str>) -> Result<Checked> {
        // Too long to be anybody's. Not hashed, and the same for everybody.
        if password.len() > judge::LONGEST {
            return Ok(Checked::Wrong);
        }
        let (inner, password, hash) = (self.0.clone(), password.to_owned(), hash.map(str::to_owned));
        self.turn(move || inner.check(&password, hash.as_deref())).await
    }

    /// Computes something on a thread of its own, when it is its turn.
    async fn turn<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let inner = self.0.clone();
        let turn = tokio::time::timeout(PATIENCE, self.0.turns.acquire()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Error::unavailable("too many sign in at once; try again", Duration::from_secs(5)));
        };
        // Given back by the thread, also when nobody waits for it any more.
        turn.forget();
        let computed = tokio::task::spawn_blocking(move || {
            let _turn = Turn(inner);
            work()
        });
        computed.await.map_err(Error::internal)?
    }
}

/// Gives a turn back when it is dropped.
struct Turn(Arc<Inner>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.turns.add_permits(1);
    }
}

impl Inner {
    fn check(&self, password: &str, known: Option<&str>) -> Result<Checked> {
        if self.nobodys.get().is_none() {
            // By the first who asks, whoever that is: otherwise the first of nobody would take longer.
            let made = hash("nobody's", self.costs)?;
            self.nobodys.get_or_init(|| made);
        }
        let Some(known) = known else {
            if let Some(nobodys) = self.nobodys.get() {
                verify(password, nobodys)?;
            }
            return Ok(Checked::Wrong);
        };
        if !verify(password, known)? {
            return Ok(Checked::Wrong);
        }
        Ok(Checked::Right { rehash: self.is_other(known) })
    }

    /// Returns whether a hash was made at other costs.
    fn is_other(&self, known: &str) -> bool {
        let Ok(parsed) = PasswordHash::new(known) else { return true };
        let Ok(params) = Params::try_from(&parsed) else { return true };
        let costs = Costs { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() };
        costs != self.costs || parsed.algorithm.as_str() != "argon2id"
    }
}

fn hash(password: &str, costs: Costs) -> Result<String> {
    let hashed = costs.hasher()?.hash_password(password.as_bytes());
    Ok(hashed.map_err(|error| Error::internal(format!("a password was not hashed: {error}")))?.to_string())
}

fn verify(password: &str, known: &str) -> Result<bool> {
    let parsed = PasswordHash::new(known).map_err(|error| unreadable(&error))?;
    let params = Params::try_from(&parsed).map_err(|error| unreadable(&error))?;
    // It is computed at the costs that the hash names, which whoever can write to the table could make enormous.
    if params.m_cost() > MOST_MEMORY_KIB || params.t_cost() > MOST_PASSES {
        return Err(Error::internal("the hash of a password asks for more than this server gives"));
    }
    match Argon2::default().verify_password(password.as_bytes(), &parsed) {
        Ok(()) => Ok(true),
        Err(HashError::PasswordInvalid) => Ok(false),
        Err(error) => Err(Error::internal(format!("the hash of a password cannot be checked: {error}"))),
    }
}

fn unreadable(error: &dyn fmt::Display) -> Error {
    Error::internal(format!("the hash of a password cannot be read: {error}"))
}

impl Default for Passwords {
    /// The default costs, and eight characters.
    fn default() -> Self {
        let turns = Semaphore::new(1);
        Self(Arc::new(Inner { costs: Costs::default(), least: 8, turns, nobodys: OnceLock::new() }))
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("costs", &self.0.costs).finish_non_exhaustive()
    }
}
