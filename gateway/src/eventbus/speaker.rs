//! Who says something over MQTT, and what of it counts.

use mapper_contract::ContractError;
use mqtt_broker::{Access, Principal, Says};
use twin_core::{PropertyName, Value};

/// Who says something, where nobody knows.
const NOBODY: &str = "mqtt";

/// Who says something.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    /// As `set_by` shows it.
    pub(super) by: String,
    pub(super) says: Says,
}

impl Speaker {
    /// Somebody at a broker that is not ours: who they are, it has asked.
    pub(super) fn unknown() -> Self {
        Self { by: NOBODY.to_owned(), says: Says { reports: true, wants: true } }
    }

    /// Somebody at our own broker.
    pub(super) fn of(principal: &Principal, access: &Access) -> Self {
        let by = match principal {
            Principal::User(name) => format!("{name}@mqtt"),
            // The client id is whatever the client likes.
            Principal::Local(_) | Principal::Mapper(_) => NOBODY.to_owned(),
        };
        Self { by, says: access.says(principal) }
    }

    /// The name of whoever it is: as they call themselves, where nobody knows it better.
    pub(super) fn name(&self, called: String) -> String {
        if called.is_empty() || self.by != NOBODY { self.by.clone() } else { called }
    }

    /// Whether they may ask for what people ask for.
    pub(super) fn check_wants(&self) -> Result<(), ContractError> {
        let reason = "only an operator may ask for this";
        if self.says.wants { Ok(()) } else { Err(ContractError::Forbidden { reason: reason.to_owned() }) }
    }

    /// Whether they may say this.
    pub(super) fn check(&self, reports: bool, wanted: &[(PropertyName, Value)]) -> Result<(), ContractError> {
        if reports && !self.says.reports {
            let reason =
                "an application may not say what a device holds: leave out `actual`, `quality` and `outcome`";
            return Err(ContractError::Forbidden { reason: reason.to_owned() });
        }
        if !wanted.is_empty() && !self.says.wants {
            let reason = "a mapper may not say what a device should do: leave out `expected`";
            return Err(ContractError::Forbidden { reason: reason.to_owned() });
        }
        Ok(())
    }
}
