//! Hashes that others understand, and passwords that nobody should have.

use super::*;

/// Small, so that a test is fast.
fn cheap() -> Passwords {
    Passwords::new(Costs { memory_kib: 64, passes: 1, lanes: 1 }, 8).unwrap()
}

#[tokio::test]
async fn a_hash_is_of_the_phc_format_at_the_costs_of_owasp() {
    let hash = Passwords::default().hash("correct horse").await.unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    assert_ne!(Passwords::default().hash("correct horse").await.unwrap(), hash, "each has a salt of its own");
}

#[tokio::test]
async fn a_hash_of_another_library_is_understood() {
    // Made by the reference implementation's command line: argon2 somesalt -id -t 2 -k 256 -l 32 -e, for `password`.
    let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert_eq!(cheap().check("password", Some(hash)).await.unwrap(), Checked::Right { rehash: true });
    assert_eq!(cheap().check("Password", Some(hash)).await.unwrap(), Checked::Wrong);
}

#[tokio::test]
async fn a_hash_at_other_costs_is_to_be_made_anew() {
    let passwords = cheap();
    let hash = passwords.hash("correct horse").await.unwrap();
    assert_eq!(passwords.check("correct horse", Some(&hash)).await.unwrap(), Checked::Right { rehash: false });
    let dearer = Passwords::new(Costs { memory_kib: 128, passes: 1, lanes: 1 }, 8).unwrap();
    assert_eq!(dearer.check("correct horse", Some(&hash)).await.unwrap(), Checked::Right { rehash: true });
}

#[tokio::test]
async fn whoever_does_not_exist_is_wrong_and_what_is_no_hash_fails() {
    let passwords = cheap();
    assert_eq!(passwords.check("correct horse", None).await.unwrap(), Checked::Wrong);
    // Not even the password of nobody.
    assert_eq!(passwords.check("nobody's", None).await.unwrap(), Checked::Wrong);
    for text in [
        "",
        "correct horse",
        "$argon2id$",
        "$2b$12$abcdefghijklmnopqrstuuOjNSI3zJqUdaFCwTeAd6kM2IFnxVLTS",
        "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ] {
        assert_eq!(passwords.check("correct horse", Some(text)).await.unwrap_err().status(), 500, "{text}");
    }
    assert!(Passwords::new(Costs { memory_kib: 1, passes: 1, lanes: 1 }, 8).is_err());
}

#[tokio::test]
async fn a_password_of_a_megabyte_is_not_hashed() {
    let (passwords, long) = (cheap(), "a".repeat(1 << 20));
    assert_eq!(passwords.hash(&long).await.unwrap_err().status(), 422);
    assert_eq!(passwords.check(&long, None).await.unwrap(), Checked::Wrong);
    assert_eq!(passwords.judge(&long, &[]).await.unwrap(), Err(Weakness::Long(1024)));
}

#[tokio::test]
async fn what_is_tried_first_is_not_taken() {
    let passwords = cheap();
    for weak in
        ["password", "Passw0rd!", "qwertyuiop", "12345678", "iloveyou1", "letmein2024", "aaaaaaaaaaaa", "19900101"]
    {
        let judged = passwords.judge(weak, &[]).await.unwrap();
        assert!(matches!(judged, Err(Weakness::Guessable(_))), "{weak}: {judged:?}");
    }
    assert_eq!(passwords.judge("x7$kQ", &[]).await.unwrap(), Err(Weakness::Short(8)));
    for strong in
        ["correct horse", "\u{1f40e}\u{1f50b}\u{1f4ce}\u{1f3e0}\u{1f308}\u{1f9ca}\u{1f980}\u{1f355}", "pz1Mq8Lw"]
    {
        assert_eq!(passwords.judge(strong, &[]).await.unwrap(), Ok(()), "{strong}");
    }
}

#[tokio::test]
async fn what_is_known_of_its_owner_is_no_secret() {
    let passwords = cheap();
    assert_eq!(passwords.judge("zorblatt-quux", &[]).await.unwrap(), Ok(()));
    let judged = passwords.judge("zorblatt-quux", &["zorblatt-quux", "z@example.com"]).await.unwrap();
    assert!(matches!(judged, Err(Weakness::Guessable(_))), "{judged:?}");
}

#[tokio::test]
async fn many_at_once_take_turns_and_all_are_answered() {
    let passwords = cheap();
    let hash = passwords.hash("correct horse").await.unwrap();
    let checks = (0..50).map(|number| {
        let (passwords, hash) = (passwords.clone(), hash.clone());
        async move {
            // Some of them leave before they are answered, and give their turn back.
            if number % 5 == 0 {
                let _ = futures_util::FutureExt::now_or_never(passwords.check("correct horse", Some(&hash)));
            }
            passwords.check("correct horse", Some(&hash)).await.unwrap().is_right()
        }
    });
    assert!(futures_util::future::join_all(checks).await.into_iter().all(|is_right| is_right));
}
