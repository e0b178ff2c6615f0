// A friendly name for a newcomer.

const FIRST = ["Amber", "Brisk", "Calm", "Clever", "Cosy", "Dapper", "Early", "Gentle", "Happy", "Honest", "Jolly", "Kind", "Lucky", "Mellow", "Merry", "Misty", "Noble", "Quiet", "Silver", "Sunny", "Swift", "Tidy", "Warm", "Witty"];
const SECOND = ["Badger", "Beaver", "Crane", "Dove", "Falcon", "Finch", "Fox", "Hare", "Hedgehog", "Heron", "Ibis", "Lark", "Lynx", "Marten", "Otter", "Owl", "Panda", "Puffin", "Raven", "Robin", "Seal", "Stork", "Swan", "Wren"];

const pick = (words) => words[crypto.getRandomValues(new Uint32Array(1))[0] % words.length];

export const friendlyName = () => `${pick(FIRST)} ${pick(SECOND)}`;
