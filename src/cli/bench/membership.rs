//! How a client comes into its rooms, and out of them.

use std::sync::Arc;

use greenroom::protocol::socketio::PacketType;

use super::broken::Broken;
use super::client::{Client, packet};
use super::messages::room_name;
use super::template::{Filling, Template};

impl Client {
    /// Joins the rooms of this client, one after the other.
    pub(super) async fn join(&mut self) -> Result<(), Broken> {
        let plan = Arc::clone(&self.crew.plan);
        let Some(traffic) = &plan.traffic else {
            return Ok(());
        };
        for room in traffic.rooms_of(self.n) {
            if let Some(join) = &traffic.join {
                self.ask(join, room).await?;
            }
            // Who does not read receives nothing.
            if !plan.is_stalled(self.n)
                && let Some(members) = self.crew.shared.members.get(room)
            {
                members.add(1);
            }
        }
        Ok(())
    }

    /// Leaves them, if that is asked for.
    pub(super) async fn leave(&mut self) -> Result<(), Broken> {
        let plan = Arc::clone(&self.crew.plan);
        let Some(traffic) = &plan.traffic else {
            return Ok(());
        };
        if let Some(leave) = &traffic.leave {
            for room in traffic.rooms_of(self.n) {
                self.ask(leave, room).await?;
            }
        }
        Ok(())
    }

    /// Emits an event about a room, and waits for its answer.
    async fn ask(&mut self, event: &Template, room: usize) -> Result<(), Broken> {
        let event = event.fill(&Filling {
            n: self.n,
            room: &room_name(room),
            ..Filling::default()
        });
        let id = self.emit_with_ack(&event)?;
        self.answered(id).await
    }

    async fn answered(&mut self, id: u64) -> Result<(), Broken> {
        loop {
            if let Some(text) = self.hear().await? {
                let packet = packet(&text)?;
                let is_ack = matches!(packet.kind, PacketType::Ack | PacketType::BinaryAck);
                if is_ack && packet.id == Some(id) {
                    return Ok(());
                }
            }
        }
    }
}
