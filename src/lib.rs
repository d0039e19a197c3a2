//! **wsanalyze** reads packet captures and tells who closed a WebSocket, why, and what to change.

pub mod capture;
pub mod cli;
pub mod confidence;
pub mod connection;
pub mod error;
pub mod gateway;
pub mod http;
pub mod legs;
pub mod limits;
pub mod net;
pub mod pipeline;
pub mod report;
pub mod role;
pub mod rules;
pub mod tcp;
pub mod time;
pub mod websocket;
