//! Which of several servers: the first that will do
//! (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS>).

use crate::source::SourceError;
use crate::source::postgres::settings::{Address, Login, Target};

/// Tries the hosts in their order. One that cannot be reached, or is a standby where a primary is wanted, is passed over;
/// one that refuses us is not: the next would be asked with the same password.
///
/// # Errors
/// A halt of the first that refuses; transient where none will do, with what each of them said.
pub(in crate::source::postgres) fn first_fit<T>(
    login: &Login,
    mut enter: impl FnMut(&Address) -> Result<T, SourceError>,
    mut is_standby: impl FnMut(&mut T) -> Result<bool, SourceError>,
) -> Result<T, SourceError> {
    let mut passed = Vec::new();
    for address in &login.hosts {
        match enter(address) {
            Ok(mut entered) => match login.target {
                Target::Any => return Ok(entered),
                Target::ReadWrite if !is_standby(&mut entered)? => return Ok(entered),
                Target::ReadWrite => passed.push(format!("{address} is a standby")),
            },
            Err(SourceError::Transient(why)) => passed.push(placed(address, why)),
            Err(other) => return Err(other),
        }
    }
    Err(SourceError::Transient(passed.join("; ")))
}

/// What was said, with the place of which it is said.
fn placed(address: &Address, why: String) -> String {
    let place = address.to_string();
    if why.contains(&place) {
        why
    } else {
        format!("{place}: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Cause, Finding};
    use crate::source::postgres::settings;
    use crate::source::postgres::sql::halt;

    fn login(target: Target) -> Login {
        let hosts = ["a", "b", "c"].map(|host| Address::Tcp {
            host: host.to_owned(),
            port: 1,
        });
        Login {
            hosts: hosts.to_vec(),
            target,
            ..settings::example().login
        }
    }

    fn lost(address: &Address) -> Result<Address, SourceError> {
        Err(SourceError::Transient(format!("{address} is away")))
    }

    #[test]
    fn the_first_primary_that_answers_is_taken() {
        let enter = |address: &Address| match address.to_string().as_str() {
            "a:1" => lost(address),
            _ => Ok(address.clone()),
        };
        let is_standby = |address: &mut Address| Ok(address.to_string() == "b:1");
        let name = |target| first_fit(&login(target), enter, is_standby).unwrap().to_string();
        assert_eq!(name(Target::Any), "b:1");
        assert_eq!(name(Target::ReadWrite), "c:1");
    }

    #[test]
    fn where_none_will_do_each_has_its_reason() {
        let enter = |address: &Address| match address.to_string().as_str() {
            "a:1" => lost(address),
            _ => Ok(address.clone()),
        };
        let answer = first_fit(&login(Target::ReadWrite), enter, |_| Ok(true));
        let Err(SourceError::Transient(why)) = answer else {
            panic!("not transient");
        };
        assert_eq!(why, "a:1 is away; b:1 is a standby; c:1 is a standby");
    }

    #[test]
    fn one_that_refuses_us_ends_the_search() {
        let mut asked = 0;
        let refused = |_: &Address| -> Result<Address, SourceError> {
            asked += 1;
            Err(halt(Finding::error(Cause::Config, "source.password_refused", "no")))
        };
        assert!(matches!(
            first_fit(&login(Target::Any), refused, |_| Ok(false)),
            Err(SourceError::Halt(_))
        ));
        assert_eq!(asked, 1);
    }
}
