//! Arguments in requests: JSON, with binary as [`binary_json`](crate::protocol::binary_json) says.

use super::problem::Problem;
use crate::protocol::binary_json::decode;
use crate::{Args, Value};

pub(super) use crate::protocol::binary_json::to_json;

/// Arguments for clients, from those in a request.
pub(super) fn args(values: Vec<Value>) -> Result<Args, Problem> {
    let mut decoded = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let value = decode(value)
            .map_err(|problem| Problem::invalid(format!("args[{index}]: {problem}")))?;
        decoded.push(value);
    }
    Ok(Args::from_vec(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let values = serde_json::from_str(r#"[0,[{"$binary":"AQ"}]]"#).unwrap();
        let problem = args(values).expect_err("it is not base64");
        assert_eq!(
            problem.detail(),
            "args[1]: the value of `$binary` is not base64 with padding"
        );
    }
}
