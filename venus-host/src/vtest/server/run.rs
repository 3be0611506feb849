//! The server's loop: one thread that sleeps until a connection, a guest or a worker has something to say.

use std::{
    collections::{BTreeMap, VecDeque},
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use super::{
    Isolation, Order, ServerOptions, State, Urgency,
    guest::{End, Guest, Worker},
    handoff,
    listener::{Listener, descriptors, is_passing, peer_user},
    log_limit::LogLimiter,
    unserved::{Arrival, Unserved, of_user},
};
use crate::{error::HostError, limits, thread::deadline};

/// How long the server takes no connections when the system has no descriptors or processes left for one.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// How long a server that ends waits for refused guests to read so.
const REFUSAL_LINGER: Duration = Duration::from_millis(300);

/// Connections that are accepted before anything else is looked at.
const ACCEPTS_AT_ONCE: usize = 64;

/// What a descriptor that is ready belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Wake,
    Listener,
    Waiting(u64),
    Left(u64),
    Orphan(u64),
    Guest(u64),
    Spare,
}

/// The loop's own state.
pub(super) struct Loop<'a> {
    options: &'a ServerOptions,
    state: &'a State,
    /// Absent once the server is stopping.
    listener: Option<Listener>,
    unserved: Unserved,
    refusals: LogLimiter,
    /// Those about workers that died.
    deaths: LogLimiter,
    guests: BTreeMap<u64, Guest>,
    spares: VecDeque<Worker>,
    /// Guests whose worker has closed its socket, and workers without a guest that have.
    ending: Vec<Guest>,
    ending_spares: Vec<Worker>,
    accepted: usize,
    next_number: u64,
    /// No connections are taken before that.
    rests_until: Option<Instant>,
    /// When the refused have had their time.
    lingers_until: Option<Instant>,
    urgency: Urgency,
}

impl<'a> Loop<'a> {
    pub(super) fn new(listener: Listener, options: &'a ServerOptions, state: &'a State) -> Self {
        Self {
            options,
            state,
            listener: Some(listener),
            unserved: Unserved::new(limits::SERVER_WAITING.min(descriptors() / 4)),
            refusals: LogLimiter::default(),
            deaths: LogLimiter::default(),
            guests: BTreeMap::new(),
            spares: VecDeque::new(),
            ending: Vec::new(),
            ending_spares: Vec::new(),
            accepted: 0,
            next_number: 0,
            rests_until: None,
            lingers_until: None,
            urgency: Urgency::None,
        }
    }

    /// Serves until it is stopped, or as many connections as the options ask for have come and gone.
    pub(super) fn run(mut self) -> Result<(), HostError> {
        self.replenish();
        while !self.is_over() {
            for (token, ready) in self.wait()? {
                self.handle(token, ready)?;
            }
            self.reap();
            self.unserved.settle(Instant::now());
        }
        Ok(())
    }

    fn takes_connections(&self) -> bool {
        self.listener.is_some() && self.options.connections.is_none_or(|limit| self.accepted < limit)
    }

    fn is_over(&mut self) -> bool {
        if self.takes_connections() || !self.guests.is_empty() || !self.ending.is_empty() {
            return false;
        }
        if self.listener.is_some() && !self.unserved.waiting.is_empty() {
            return false;
        }
        // Workers that wait for guests end when their sockets close.
        self.spares.clear();
        self.unserved.orphans.clear();
        let until = *self.lingers_until.get_or_insert_with(|| deadline(REFUSAL_LINGER));
        self.unserved.refused.is_empty() || Instant::now() >= until
    }

    /// Sleeps until something is ready.
    fn wait(&mut self) -> Result<Vec<(Token, PollFlags)>, HostError> {
        let now = Instant::now();
        self.rests_until = self.rests_until.filter(|until| *until > now);
        let ending = self.ending.iter().map(|guest| &guest.worker).chain(&self.ending_spares);
        let look = ending.map(Worker::next_look).min();
        let words = self.unserved.orphans.iter().filter_map(|orphan| orphan.due).min();
        let timers = [self.rests_until, self.lingers_until, look.map(deadline), words];
        let timeout = timers.into_iter().flatten().min().map(|at| at.saturating_duration_since(now));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let mut tokens = Vec::new();
        let mut fds = Vec::new();
        self.for_each_source(|token, fd, events| {
            tokens.push(token);
            fds.push(PollFd::from_borrowed_fd(fd, events));
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(Vec::new()),
            Err(error) => return Err(HostError::io("cannot wait for connections", error)),
        }
        let ready = tokens.into_iter().zip(fds).map(|(token, fd)| (token, fd.revents()));
        Ok(ready.filter(|(_, ready)| !ready.is_empty()).collect())
    }

    fn for_each_source<'s>(&'s self, mut add: impl FnMut(Token, BorrowedFd<'s>, PollFlags)) {
        // A hang-up is always told on Linux, on macOS only to those who ask.
        let end = PollFlags::HUP;
        add(Token::Wake, self.state.wake.as_fd(), PollFlags::IN);
        if let Some(listener) = &self.listener
            && self.takes_connections()
            && self.rests_until.is_none()
        {
            add(Token::Listener, listener.as_fd(), PollFlags::IN);
        }
        for (number, arrival) in &self.unserved.waiting {
            add(Token::Waiting(*number), arrival.socket.as_fd(), PollFlags::IN | end);
        }
        for (number, socket) in &self.unserved.refused {
            add(Token::Left(*number), socket.as_fd(), end);
        }
        for orphan in &self.unserved.orphans {
            let words = if orphan.due.is_none() { PollFlags::IN } else { PollFlags::empty() };
            add(Token::Orphan(orphan.number), orphan.socket.as_fd(), words | end);
        }
        for (number, guest) in &self.guests {
            add(Token::Guest(*number), guest.worker.control().as_fd(), end);
        }
        for spare in &self.spares {
            add(Token::Spare, spare.control().as_fd(), end);
        }
    }

    fn handle(&mut self, token: Token, ready: PollFlags) -> Result<(), HostError> {
        match token {
            Token::Wake => self.obey(),
            Token::Listener => self.accept()?,
            Token::Waiting(number) => {
                let Some(arrival) = self.unserved.waiting.remove(&number) else { return Ok(()) };
                if ready.contains(PollFlags::IN) && !ready.intersects(PollFlags::HUP | PollFlags::ERR) {
                    self.begin(number, arrival);
                }
            }
            Token::Orphan(number) if !ready.intersects(PollFlags::HUP | PollFlags::ERR) => self.unserved.hear(number),
            Token::Left(number) | Token::Orphan(number) => self.unserved.forget(number),
            Token::Guest(number) => {
                self.state.guests.lock().remove(&number);
                let Some(mut guest) = self.guests.remove(&number) else { return Ok(()) };
                if let Some(socket) = guest.take_unanswered() {
                    self.unserved.refuse(number, socket);
                }
                self.ending.push(guest);
            }
            Token::Spare => {
                let all = std::mem::take(&mut self.spares);
                let (gone, left): (Vec<_>, Vec<_>) =
                    all.into_iter().partition(|spare| handoff::is_gone(spare.control()));
                self.spares = left.into();
                self.ending_spares.extend(gone);
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<(), HostError> {
        for _ in 0..ACCEPTS_AT_ONCE {
            let Some(listener) = &self.listener else { return Ok(()) };
            if !self.takes_connections() {
                return Ok(());
            }
            match listener.accept() {
                Ok(Some(socket)) => self.admit(socket),
                Ok(None) => return Ok(()),
                Err(error) if is_passing(&error) => {
                    self.refusals.warn(&format!("cannot accept a connection just now: {error}"));
                    self.rests_until = Some(deadline(ACCEPT_REST));
                    return Ok(());
                }
                Err(error) => return Err(HostError::io("cannot accept connections", error)),
            }
        }
        Ok(())
    }

    fn admit(&mut self, socket: UnixStream) {
        self.accepted = self.accepted.saturating_add(1);
        self.next_number = self.next_number.wrapping_add(1);
        let arrival = Arrival { user: peer_user(&socket), socket };
        let allowed = &self.options.admission.users;
        if !allowed.is_empty() && !arrival.user.is_some_and(|user| allowed.contains(&user)) {
            let user = arrival.user.map_or_else(|| "unknown".to_owned(), |user| user.to_string());
            return self.refuse(arrival, &self.by_rule(format!("user {user} is none of those who may be guests")));
        }
        if let Some(complaint) = self.unserved.admit(self.next_number, arrival) {
            self.refusals.warn(&complaint);
        }
    }

    fn refuse(&mut self, arrival: Arrival, why: &str) {
        self.refusals.warn(&format!("a guest is refused{}: {why}", of_user(arrival.user)));
        self.next_number = self.next_number.wrapping_add(1);
        self.unserved.refuse(self.next_number, arrival.socket);
    }

    /// Why there is no place for one more guest, if there is none.
    fn is_full(&self, user: Option<u32>) -> Option<String> {
        let admission = &self.options.admission;
        // Those whose workers do not end hold what they had.
        let overdue = self.ending.iter().filter(|guest| guest.worker.is_overdue());
        let guests = || self.guests.values().chain(overdue.clone());
        // A guest costs three descriptors here, and some have to be left for who only wants to hear so.
        let most = admission.guests.min(descriptors() / 6);
        if guests().count() >= most {
            return Some(self.by_rule(format!("as many guests are being served already as there may be ({most})")));
        }
        let own = admission.guests_per_user.filter(|_| user.is_some())?;
        let same = guests().filter(|guest| guest.record.user == user).count();
        let full = || format!("as many guests of this user are being served already as there may be ({same})");
        (same >= own).then(|| self.by_rule(full()))
    }

    /// With what there is to say to whoever has made the rule.
    fn by_rule(&self, why: String) -> String {
        match &*self.options.admission.advice {
            "" => why,
            advice => format!("{why}; {advice}"),
        }
    }

    /// Has a connection served that has said something.
    fn begin(&mut self, number: u64, arrival: Arrival) {
        if let Some(why) = self.is_full(arrival.user) {
            return self.refuse(arrival, &why);
        }
        let mut arrival = arrival;
        // One that was started ahead may have died since.
        while let Some(spare) = self.spares.pop_front() {
            match self.hand_over(number, spare, arrival) {
                Ok(()) => return,
                Err((back, error)) => {
                    tracing::debug!("a worker that was started ahead has gone: {error}");
                    arrival = back;
                }
            }
        }
        match Worker::start(self.options) {
            Ok(worker) => {
                if let Err((arrival, error)) = self.hand_over(number, worker, arrival) {
                    self.refuse(arrival, &error.to_string());
                }
            }
            Err(error) => self.refuse(arrival, &error.to_string()),
        }
    }

    /// Has a worker serve a connection, which comes back if the worker has gone.
    fn hand_over(&mut self, number: u64, worker: Worker, arrival: Arrival) -> Result<(), (Arrival, HostError)> {
        let guest = Guest::begin(number, worker, arrival).map_err(|(arrival, worker, error)| {
            // It may be alive, and this server the one that is short of something.
            worker.dismiss();
            self.ending_spares.push(worker);
            (arrival, error)
        })?;
        self.serve(number, guest);
        Ok(())
    }

    fn serve(&mut self, number: u64, guest: Guest) {
        self.state.guests.lock().insert(number, Arc::clone(&guest.record));
        self.guests.insert(number, guest);
        self.replenish();
    }

    /// Starts workers ahead of their guests, as many as there should be.
    fn replenish(&mut self) {
        let wanted = match self.options.isolation {
            Isolation::Process(_) if self.takes_connections() => self.options.spares,
            _ => 0,
        };
        while self.spares.len() < wanted {
            match Worker::start(self.options) {
                Ok(worker) => self.spares.push_back(worker),
                Err(error) => {
                    self.refusals.warn(&format!("no worker is started ahead of its guest: {error}"));
                    return;
                }
            }
        }
    }

    /// Ends the workers that wait for guests.
    fn dismiss_spares(&mut self) {
        let spares = std::mem::take(&mut self.spares);
        spares.iter().for_each(Worker::dismiss);
        self.ending_spares.extend(spares);
    }

    /// Sees to workers that have closed their sockets.
    fn reap(&mut self) {
        for mut guest in std::mem::take(&mut self.ending) {
            match guest.worker.ended() {
                None => self.ending.push(guest),
                Some(end) => self.part(guest, &end),
            }
        }
        let deaths = &mut self.deaths;
        self.ending_spares.retain_mut(|spare| match spare.ended() {
            None => true,
            Some(End::Process(status)) if status.success() => false,
            Some(end) => {
                let worker = spare.process();
                deaths.error(&format!(
                    "worker {worker} ended before it had a guest ({end}); the next guest gets a fresh one"
                ));
                false
            }
        });
    }

    fn part(&mut self, guest: Guest, end: &End) {
        self.next_number = self.next_number.wrapping_add(1);
        let deaths = (self.urgency == Urgency::None).then_some(&mut self.deaths);
        if let Some(socket) = guest.end(end, self.options, deaths) {
            self.unserved.adopt(self.next_number, socket);
        }
    }

    /// Does what somebody has asked for meanwhile.
    fn obey(&mut self) {
        let orders = self.state.orders();
        let urgency = if orders.contains(&Order::StopNow) {
            Urgency::Now
        } else if orders.contains(&Order::Stop) {
            Urgency::Soon
        } else {
            Urgency::None
        };
        if orders.contains(&Order::RenewWorkers) {
            self.dismiss_spares();
            self.replenish();
        }
        if urgency > Urgency::None && self.urgency == Urgency::None {
            self.stop();
        }
        if urgency == Urgency::Now && self.urgency < Urgency::Now {
            tracing::info!("ending {} that have not left", in_words(self.guests.len()));
            self.guests.values_mut().chain(&mut self.ending).for_each(Guest::kill);
        }
        self.urgency = self.urgency.max(urgency);
    }

    /// Takes no more guests, and says which ones it waits for.
    fn stop(&mut self) {
        if let Some(listener) = &self.listener {
            // Those who are at the door are told, too.
            while let Ok(Some(socket)) = listener.accept() {
                self.next_number = self.next_number.wrapping_add(1);
                self.unserved.refuse(self.next_number, socket);
            }
        }
        self.listener = None;
        self.unserved.refuse_all();
        self.dismiss_spares();
        let waits_for: Vec<String> = self.guests.values().map(|guest| guest.record.title()).collect();
        match &*waits_for {
            [] => tracing::info!("stopping; there are no guests"),
            some => tracing::info!(
                "stopping; waiting for {} to leave: {}; ask once more to end them",
                in_words(some.len()),
                some.join(", ")
            ),
        }
    }
}

fn in_words(guests: usize) -> String {
    format!("{guests} guest{}", if guests == 1 { "" } else { "s" })
}
