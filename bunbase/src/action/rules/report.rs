//! What is wrong, put together while the compiler evaluates a constant.

/// The mistakes found so far, as text.
pub(super) struct Report {
    bytes: [u8; 4096],
    length: usize,
}

impl Report {
    /// No mistake.
    pub(super) const NOTHING: Self = Self { bytes: [0; 4096], length: 0 };

    /// Adds a line made of parts. What does not fit is left out, whole characters at a time.
    pub(super) const fn line(mut self, parts: &[&str]) -> Self {
        if self.length > 0 {
            self = self.add("\n");
        }
        let mut index = 0;
        while index < parts.len() {
            self = self.add(parts[index]);
            index += 1;
        }
        self
    }

    /// Adds to the line.
    pub(super) const fn add(mut self, text: &str) -> Self {
        let text = text.as_bytes();
        if self.length + text.len() <= self.bytes.len() {
            let mut index = 0;
            while index < text.len() {
                self.bytes[self.length + index] = text[index];
                index += 1;
            }
            self.length += text.len();
        }
        self
    }

    /// Ends the evaluation with all mistakes, if there are any.
    ///
    /// # Panics
    /// With every mistake: at compile time.
    #[track_caller]
    pub(super) const fn tell(self) {
        if self.length == 0 {
            return;
        }
        let (text, _) = self.bytes.split_at(self.length);
        match std::str::from_utf8(text) {
            Ok(text) => panic!("{}", text),
            Err(_) => panic!("the parts of this action do not fit together"),
        }
    }
}
