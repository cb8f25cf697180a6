//! What the daemon has a schedule for.

use crate::app::App;
use crate::scheduler::Plan;

impl App {
    /// When passes of `ingress` run.
    ///
    /// # Errors
    /// Where the configuration does not say.
    pub(crate) fn ingress_plan(&self) -> Result<Plan, String> {
        let ingress = self.config.ingress.as_ref();
        let planned = ingress.and_then(|it| Some((it.schedule.clone()?, it.time_zone.clone())));
        let (schedule, zone) = planned.ok_or(
            "`[ingress]` has no schedule for the daemon; add one, such as `schedule = \"*/15 * * * * *\"` for every 15 seconds",
        )?;
        Ok(Plan { schedule, zone })
    }

    /// When slices of the comparison run, if they do.
    pub(crate) fn reconcile_plan(&self) -> Option<Plan> {
        let settings = self.config.reconcile.as_ref()?;
        Some(Plan { schedule: settings.schedule.clone(), zone: settings.time_zone.clone() })
    }
}
