//! What is going to be done: the arguments, judged.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};

use super::arguments::{Broadcast, Clients, Connect, Echo, Mode, Rooms};
use super::broken::PlanError;
use super::messages::{Kind, Traffic, lanes};
use super::schedule::opening;
use super::tally::{Tally, Window};
use super::target::{Caller, Target};
use super::template::Template;
use super::wire::Transport;

/// So many clients and rooms, and no more.
const MOST_CLIENTS: usize = 1_000_000;

/// Nobody joins more.
const MOST_ROOMS_PER_CLIENT: usize = 100;

/// All of it.
pub(super) struct Plan {
    pub(super) mode: &'static str,
    pub(super) target: Arc<Target>,
    pub(super) transport: Transport,
    pub(super) namespace: String,
    /// What stands in a packet for the namespace.
    pub(super) nsp_prefix: String,
    pub(super) auth: Template,
    pub(super) n_clients: usize,
    /// Clients that do not read, numbered behind the others.
    pub(super) n_stalled: usize,
    pub(super) connect_rate: f64,
    /// How long connections are held that have nothing to say.
    pub(super) hold: Duration,
    pub(super) timeout: Duration,
    pub(super) n_threads: usize,
    pub(super) pids: Vec<u32>,
    pub(super) traffic: Option<Traffic>,
}

impl Plan {
    /// # Errors
    /// What cannot be done as it was said.
    pub(super) fn new(mode: &Mode) -> Result<Self, PlanError> {
        match mode {
            Mode::Connect(connect) => Self::connect(connect),
            Mode::Echo(echo) => Self::echo(echo),
            Mode::Broadcast(broadcast) => Self::broadcast(broadcast),
            Mode::Rooms(rooms) => Self::rooms(rooms),
        }
    }

    fn connect(connect: &Connect) -> Result<Self, PlanError> {
        let mut plan = Self::of("connect", &connect.clients, connect.rate)?;
        plan.hold = connect.duration;
        Ok(plan)
    }

    fn echo(echo: &Echo) -> Result<Self, PlanError> {
        let mut plan = Self::of("echo", &echo.clients, echo.messages.connect_rate)?;
        let event = event("--args", &echo.event, &echo.args)?;
        let lanes = lanes(plan.n_clients, 1, 1, plan.n_clients)?;
        let mut traffic = Traffic::new(Kind::Echo, &echo.messages, lanes, event, echo.rate)?;
        traffic.in_flight = echo.in_flight;
        plan.traffic = Some(traffic);
        Ok(plan)
    }

    fn broadcast(broadcast: &Broadcast) -> Result<Self, PlanError> {
        let messages = &broadcast.messages;
        let mut plan = Self::of("broadcast", &broadcast.clients, messages.connect_rate)?;
        let event = event("--args", &broadcast.event, &broadcast.args)?;
        let lanes = lanes(plan.n_clients, 1, 1, broadcast.senders.senders)?;
        let rate = broadcast.rate;
        let traffic = Traffic::new(Kind::Broadcast, messages, lanes, event, rate)?;
        plan.traffic = Some(traffic.sent_by(&broadcast.senders)?);
        plan.n_stalled = stalled(broadcast.senders.stalled)?;
        Ok(plan)
    }

    fn rooms(rooms: &Rooms) -> Result<Self, PlanError> {
        let messages = &rooms.messages;
        let mut plan = Self::of("rooms", &rooms.clients, messages.connect_rate)?;
        let (n_rooms, per_client) = (rooms.rooms, rooms.rooms_per_client);
        if !(1..=n_rooms.min(MOST_ROOMS_PER_CLIENT)).contains(&per_client) {
            let why = format!(
                "--rooms-per-client: at least 1, and not more than --rooms or {MOST_ROOMS_PER_CLIENT}"
            );
            return Err(PlanError::Option(why));
        }
        let most_rooms = MOST_CLIENTS.min(plan.n_clients * per_client);
        if !(1..=most_rooms).contains(&n_rooms) {
            let why = "--rooms: at least 1, and not more than there are clients for";
            return Err(PlanError::Option(why.to_owned()));
        }
        let publish = event("--args", &rooms.event, &rooms.args)?;
        let join = event("--join-args", &rooms.join_event, &rooms.join_args)?;
        let lanes = lanes(plan.n_clients, n_rooms, per_client, rooms.senders.senders)?;
        let mut traffic = Traffic::new(Kind::Rooms, messages, lanes, publish, rooms.rate)?;
        traffic.n_rooms = n_rooms;
        traffic.rooms_per_client = per_client;
        traffic.join = Some(join);
        let leave = rooms.leave_event.as_deref();
        let leave = leave.map(|name| event("--join-args", name, &rooms.join_args));
        traffic.leave = leave.transpose()?;
        plan.traffic = Some(traffic.sent_by(&rooms.senders)?);
        plan.n_stalled = stalled(rooms.senders.stalled)?;
        Ok(plan)
    }

    fn of(mode: &'static str, clients: &Clients, connect_rate: f64) -> Result<Self, PlanError> {
        let n_clients = clients.connections;
        if !(1..=MOST_CLIENTS).contains(&n_clients) {
            let why = format!("--connections: from 1 to {MOST_CLIENTS}");
            return Err(PlanError::Option(why));
        }
        let auth = Template::object(&clients.auth).ok_or_else(|| {
            let why = "--auth is no JSON object, such as {\"token\":\"user-{client}\"}";
            PlanError::Option(why.to_owned())
        })?;
        let headers = clients.header.iter().map(|text| header(text));
        let headers = headers.collect::<Result<_, _>>()?;
        let sources = clients.source.clone();
        let half = available_parallelism().map_or(1, |n| n.get().div_ceil(2));
        Ok(Self {
            mode,
            target: Arc::new(Target::new(&clients.url, &clients.path, headers, sources)?),
            transport: clients.transport,
            namespace: clients.namespace.clone(),
            nsp_prefix: nsp_prefix(&clients.namespace)?,
            auth,
            n_clients,
            n_stalled: 0,
            connect_rate,
            hold: Duration::ZERO,
            timeout: clients.timeout,
            n_threads: clients.threads.unwrap_or(half).clamp(1, n_clients.min(256)),
            pids: clients.pid.clone(),
            traffic: None,
        })
    }

    /// Those who read and those who do not.
    pub(super) const fn n_all(&self) -> usize {
        self.n_clients + self.n_stalled
    }

    pub(super) const fn is_stalled(&self, n: usize) -> bool {
        n >= self.n_clients
    }

    /// As whom the client with this number connects.
    pub(super) fn caller(&self, n: usize) -> Caller {
        Caller {
            n,
            is_stalled: self.is_stalled(n),
        }
    }

    /// A tally of what is measured, with nothing in it.
    pub(super) fn tally(&self) -> Tally {
        let window = match &self.traffic {
            Some(Traffic { schedule, .. }) => Window {
                begin: schedule.warm_up(),
                length: schedule.length().saturating_sub(schedule.warm_up()),
            },
            None => Window {
                begin: Duration::ZERO,
                length: opening(self.n_clients, self.connect_rate),
            },
        };
        Tally::new(window, self.traffic.is_some())
    }

    /// Rooms of which somebody has to know the number of members.
    pub(super) fn n_rooms(&self) -> usize {
        self.traffic.as_ref().map_or(0, |traffic| traffic.n_rooms)
    }
}

fn stalled(n_stalled: usize) -> Result<usize, PlanError> {
    match n_stalled <= MOST_CLIENTS {
        true => Ok(n_stalled),
        false => {
            let why = format!("--stalled: at most {MOST_CLIENTS}");
            Err(PlanError::Option(why))
        }
    }
}

fn event(option: &str, name: &str, args: &str) -> Result<Template, PlanError> {
    Template::event(name, args).ok_or_else(|| {
        PlanError::Option(format!(
            "{option} is no JSON array, such as [\"{{payload}}\"] or [{{\"room\":\"{{room}}\"}}]"
        ))
    })
}

/// **Source**: Socket.IO protocol, revision 5, "Packet encoding": the main namespace is not named.
fn nsp_prefix(namespace: &str) -> Result<String, PlanError> {
    match namespace {
        "/" => Ok(String::new()),
        name if name.starts_with('/') && !name.contains(',') => Ok(format!("{name},")),
        _ => Err(PlanError::Option(
            "--namespace begins with / and has no comma".to_owned(),
        )),
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), PlanError> {
    let parsed = text
        .split_once(':')
        .and_then(|(name, value)| Some((name.trim().parse().ok()?, value.trim().parse().ok()?)));
    parsed.ok_or_else(|| PlanError::Option(format!("--header {text:?} is not NAME: VALUE")))
}

/// What is typed behind `greenroom bench`.
#[cfg(test)]
pub(super) fn typed(words: &str) -> Result<Plan, PlanError> {
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        bench: super::Bench,
    }

    let words = ["bench"].into_iter().chain(words.split(' '));
    Plan::new(&Line::try_parse_from(words).unwrap().bench.mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_what_was_typed() {
        let plan = typed(
            "rooms https://127.0.0.1 -n 6 --rooms 3 --rooms-per-client 2 --nsp /a --threads 99",
        );
        let plan = plan.unwrap();
        assert_eq!(
            (&*plan.nsp_prefix, plan.n_threads, plan.n_rooms()),
            ("/a,", 6, 3)
        );
        let traffic = plan.traffic.unwrap();
        assert_eq!(traffic.rooms_of(5).collect::<Vec<_>>(), [2, 0]);
        assert_eq!((traffic.lanes.len(), traffic.room_of(2)), (3, 2));
        assert_eq!(traffic.schedule.length(), Duration::from_secs(12));

        let plan = typed("connect -n 1000 --rate 100 --duration 1m").unwrap();
        assert_eq!(plan.tally().window.length, Duration::from_secs(10));
        assert_eq!((plan.hold, plan.n_rooms()), (Duration::from_secs(60), 0));
    }

    #[test]
    fn there_is_a_most_of_everything() {
        for words in [
            "connect -n 1000001",
            "broadcast --stalled 1000001",
            "echo --size 8388609",
            "echo --rate 1000000 --duration 2s",
            "rooms -n 1000000 --rooms 1000001 --rooms-per-client 100",
            "rooms -n 1000000 --rooms 1000 --rooms-per-client 101",
            "rooms -n 1000000 --rooms 1000000 --rooms-per-client 100 --senders 100",
        ] {
            assert!(matches!(typed(words), Err(PlanError::Option(_))), "{words}");
        }
    }

    #[test]
    fn namespaces_and_headers_are_judged() {
        assert_eq!(nsp_prefix("/").unwrap(), "");
        assert_eq!(nsp_prefix("/chat").unwrap(), "/chat,");
        assert!(nsp_prefix("chat").is_err() && nsp_prefix("/a,b").is_err());
        let (name, value) = header("Authorization: Bearer a:b").unwrap();
        assert_eq!(
            (name.as_str(), value.as_bytes()),
            ("authorization", &b"Bearer a:b"[..])
        );
        assert!(header("no colon").is_err() && header("a b: c").is_err());
    }
}
