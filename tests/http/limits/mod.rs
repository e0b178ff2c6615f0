//! Every cap on what a peer can fill: what exceeds it is refused in a way that the client can read, and counted; what
//! does not is served.

mod connections;
mod kept;
mod names;
mod packets;
