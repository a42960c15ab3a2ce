//! Taking lanes for the streams of an offer.

use ringway_directory::TenantId;
use ringway_sip::Sdp;
use ringway_sip::media::Lane;

use super::exchange::Sections;
use super::reserve::Reserve;
use super::session::Session;
use crate::core::Core;
use crate::counters::Unmoved;
use crate::dialog::DialogKey;
use crate::reject::Reject;

/// Where a session gets lanes from.
pub(super) struct Lanes<'e> {
    pub(super) core: &'e mut Core,
    pub(super) reserve: &'e mut Reserve,
    pub(super) dialog: DialogKey,
    pub(super) tenant: TenantId,
    pub(super) most: Option<u32>,
}

impl Lanes<'_> {
    /// Gives a session a lane for every section that is to be relayed and has none, and tells which these were. When there
    /// are not enough, the session is left with those that it had; in an emergency with those that could be had, and the
    /// other streams pass as they came.
    pub(super) fn take_for(
        &mut self,
        session: &mut Session,
        sdp: &Sdp<'_>,
        is_emergency: bool,
    ) -> Result<Sections, Reject> {
        let mut added = Vec::new();
        let mut sections = Sections::default();
        let mut is_short = false;
        for (index, section) in sdp.sections().iter().enumerate() {
            if session.lane(index).is_some() || !sdp.can_be_relayed(section) {
                continue;
            }
            match self.take() {
                Ok(lane) => {
                    session.set_lane(index, lane);
                    sections.add(index);
                    added.push((index, lane));
                }
                Err(_) if is_emergency => is_short = true,
                Err(reject) => {
                    for (index, lane) in added {
                        session.remove_lane(index);
                        self.untake(lane);
                    }
                    return Err(reject);
                }
            }
        }
        self.core.counters.unmoved[Unmoved::NoPorts as usize] += u64::from(is_short);
        Ok(sections)
    }

    fn take(&mut self) -> Result<Lane, Reject> {
        if !self.core.activity.take_stream(self.tenant, self.most) {
            return Err(Reject::MediaLimit);
        }
        self.reserve.take(self.dialog).ok_or_else(|| {
            self.core.activity.end_stream(self.tenant);
            Reject::NoMediaPorts
        })
    }

    /// Puts a lane back that nobody was told of.
    fn untake(&mut self, lane: Lane) {
        self.reserve.untake(lane);
        self.core.activity.end_stream(self.tenant);
    }
}
