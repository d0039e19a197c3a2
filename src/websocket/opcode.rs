//! Opcodes (RFC 6455 §5.2, §11.8).

/// What a frame carries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Opcode {
    /// A further frame of a fragmented message (0x0).
    Continuation,
    /// Text, UTF-8 (0x1).
    Text,
    /// Binary (0x2).
    Binary,
    /// Close (0x8).
    Close,
    /// Ping (0x9).
    Ping,
    /// Pong (0xA).
    Pong,
    /// One of the values no specification defines (0x3 to 0x7, 0xB to 0xF).
    Reserved(u8),
}

impl Opcode {
    /// From the low four bits of a frame's first byte.
    pub const fn from_bits(bits: u8) -> Opcode {
        match bits & 0x0F {
            0x0 => Opcode::Continuation,
            0x1 => Opcode::Text,
            0x2 => Opcode::Binary,
            0x8 => Opcode::Close,
            0x9 => Opcode::Ping,
            0xA => Opcode::Pong,
            other => Opcode::Reserved(other),
        }
    }

    /// The low four bits of a frame's first byte.
    pub const fn bits(self) -> u8 {
        match self {
            Opcode::Continuation => 0x0,
            Opcode::Text => 0x1,
            Opcode::Binary => 0x2,
            Opcode::Close => 0x8,
            Opcode::Ping => 0x9,
            Opcode::Pong => 0xA,
            Opcode::Reserved(bits) => bits,
        }
    }

    /// Whether it is a control opcode: its top bit is set (RFC 6455 §5.5).
    pub const fn is_control(self) -> bool {
        matches!(self, Opcode::Close | Opcode::Ping | Opcode::Pong | Opcode::Reserved(0x8..))
    }
}
