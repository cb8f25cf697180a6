//! One SSH connection.
//!
//! Owns: who is let in (campaign sheet 8.3: by key only), and that there is no
//! shell, only files.

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Msg, PublicKeyOffer, VerifiedPublicKey};
use russh::{Channel, ChannelId};

use super::faults::SftpFault;
use super::files::Files;
use super::{Shared, USER, lock};
use crate::clock::Clock;
use crate::sandbox::listener::Cut;

/// A connection and its one channel.
pub(super) struct Session {
    shared: Shared,
    client: PublicKey,
    cut: Cut,
    clock: Clock,
    channel: Option<Channel<Msg>>,
}

impl Session {
    /// Nobody is logged in yet.
    pub(super) fn new(shared: Shared, client: PublicKey, cut: Cut, clock: Clock) -> Self {
        Self { shared, client, cut, clock, channel: None }
    }

    fn decide(&self, user: &str, key: &PublicKey) -> Auth {
        let known = user == USER && key.key_data() == self.client.key_data();
        if known && !lock(&self.shared).faults.has(&SftpFault::Refused) {
            Auth::Accept
        } else {
            lock(&self.shared).note("refused", "");
            Auth::reject()
        }
    }
}

impl russh::server::Handler for Session {
    type Error = russh::Error;

    async fn auth_publickey_offered(
        &mut self,
        user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.decide(user, offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        let decision = self.decide(user, key.public_key);
        if matches!(decision, Auth::Accept) {
            lock(&self.shared).note("connect", "");
        }
        Ok(decision)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        self.channel = Some(channel);
        reply.accept().await;
        Ok(())
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        name: &str,
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        let channel = self.channel.take().filter(|channel| channel.id() == id);
        let Some(channel) = channel.filter(|_| name == "sftp") else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        let files = Files::new(self.shared.clone(), self.cut.clone(), self.clock.clone());
        russh_sftp::server::run(channel.into_stream(), files).await;
        Ok(())
    }

    async fn channel_eof(
        &mut self,
        id: ChannelId,
        session: &mut russh::server::Session,
    ) -> Result<(), Self::Error> {
        session.close(id)
    }
}
