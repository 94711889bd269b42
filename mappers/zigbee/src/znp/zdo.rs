//! Device objects: joining, addresses, descriptors, bindings. (Z-Stack Monitor and Test API, "MT_ZDO")
//!
//! Most requests are answered twice: at once by the coordinator, and by an AREQ of the device when it has answered.

use crate::Ieee;
use crate::bytes::{List, Rest};
use crate::znp::message::messages;

/// All routers and the coordinator. (ZigBee specification, 3.6.5: broadcast addresses)
pub const ROUTERS: u16 = 0xFFFC;
/// Address mode of a broadcast. (`ZDO_MGMT_PERMIT_JOIN_REQ`, "AddrMode")
pub const BROADCAST: u8 = 0x0F;
/// Address mode of a 64-bit address. (`ZDO_BIND_REQ`, "DstAddrMode")
pub const LONG_ADDRESS: u8 = 3;

messages! {
    /// Asks for a short address. (`ZDO_NWK_ADDR_REQ`)
    Sreq Zdo 0x00 NwkAddrReq {
        /// Whose.
        ieee: Ieee,
        /// 0: of this device only.
        kind: u8,
        /// 0.
        start: u8,
    } -> NwkAddrReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Asks for the address behind a short one. (`ZDO_IEEE_ADDR_REQ`)
    Sreq Zdo 0x01 IeeeAddrReq {
        /// Whose.
        nwk: u16,
        /// 0: of this device only.
        kind: u8,
        /// 0.
        start: u8,
    } -> IeeeAddrReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Asks what kind of node it is. (`ZDO_NODE_DESC_REQ`)
    Sreq Zdo 0x02 NodeDescReq {
        /// Who is asked.
        nwk: u16,
        /// About whom.
        of: u16,
    } -> NodeDescReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Asks what an endpoint can do. (`ZDO_SIMPLE_DESC_REQ`)
    Sreq Zdo 0x04 SimpleDescReq {
        /// Who is asked.
        nwk: u16,
        /// About whom.
        of: u16,
        /// The endpoint.
        endpoint: u8,
    } -> SimpleDescReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Asks for the endpoints. (`ZDO_ACTIVE_EP_REQ`)
    Sreq Zdo 0x05 ActiveEpReq {
        /// Who is asked.
        nwk: u16,
        /// About whom.
        of: u16,
    } -> ActiveEpReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Tells a device whom to report to. (`ZDO_BIND_REQ`)
    Sreq Zdo 0x21 BindReq {
        /// The device.
        nwk: u16,
        /// Its address again.
        source: Ieee,
        /// Its endpoint.
        endpoint: u8,
        /// The cluster.
        cluster: u16,
        /// [`LONG_ADDRESS`].
        mode: u8,
        /// To whom.
        to: Ieee,
        /// Their endpoint.
        to_endpoint: u8,
    } -> BindReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Undoes a [`BindReq`]. (`ZDO_UNBIND_REQ`)
    Sreq Zdo 0x22 UnbindReq {
        /// The device.
        nwk: u16,
        /// Its address again.
        source: Ieee,
        /// Its endpoint.
        endpoint: u8,
        /// The cluster.
        cluster: u16,
        /// [`LONG_ADDRESS`].
        mode: u8,
        /// To whom.
        to: Ieee,
        /// Their endpoint.
        to_endpoint: u8,
    } -> UnbindReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Asks for the neighbours. (`ZDO_MGMT_LQI_REQ`)
    Sreq Zdo 0x31 MgmtLqiReq {
        /// Who is asked.
        nwk: u16,
        /// From this row on.
        start: u8,
    } -> MgmtLqiReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Makes a device leave. (`ZDO_MGMT_LEAVE_REQ`)
    Sreq Zdo 0x34 MgmtLeaveReq {
        /// Who is asked.
        nwk: u16,
        /// Who leaves.
        ieee: Ieee,
        /// Bit 0 it joins again, bit 1 its children leave too.
        flags: u8,
    } -> MgmtLeaveReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Lets devices join for a time. (`ZDO_MGMT_PERMIT_JOIN_REQ`)
    Sreq Zdo 0x36 MgmtPermitJoinReq {
        /// [`BROADCAST`] or a short address.
        mode: u8,
        /// At whom: [`ROUTERS`] is everybody.
        nwk: u16,
        /// Seconds, 0 to 254.
        seconds: u8,
        /// 1.
        significance: u8,
    } -> MgmtPermitJoinReqAnswer {
        /// 0 when it is on its way.
        status: u8,
    }
    /// Starts the network that is in the non-volatile items. (`ZDO_STARTUP_FROM_APP`)
    Sreq Zdo 0x40 StartupFromApp {
        /// Milliseconds from now.
        delay: u16,
    } -> StartupFromAppAnswer {
        /// 0 the old network, 1 a new one, 2 it was left.
        status: u8,
    }
    /// Looks for the way to a device. (`ZDO_EXT_ROUTE_DISC`)
    Sreq Zdo 0x45 ExtRouteDisc {
        /// The device.
        nwk: u16,
        /// 0.
        options: u8,
        /// Hops.
        radius: u8,
    } -> ExtRouteDiscAnswer {
        /// 0 when it has begun.
        status: u8,
    }
    /// Asks whether an endpoint is in a group. (`ZDO_EXT_FIND_GROUP`)
    Sreq Zdo 0x4A ExtFindGroup {
        /// The endpoint.
        endpoint: u8,
        /// The group.
        group: u16,
    } -> ExtFindGroupAnswer {
        /// 0 yes, 1 no.
        status: u8,
        /// The group.
        group: u16,
        /// Its name.
        name: List<u8>,
    }
    /// Puts an endpoint into a group. (`ZDO_EXT_ADD_GROUP`)
    Sreq Zdo 0x4B ExtAddGroup {
        /// The endpoint.
        endpoint: u8,
        /// The group.
        group: u16,
        /// Its name.
        name: Rest,
    } -> ExtAddGroupAnswer {
        /// 0 when it is in.
        status: u8,
    }
    /// Asks for the network. (`ZDO_EXT_NWK_INFO`)
    Sreq Zdo 0x50 ExtNwkInfo {} -> ExtNwkInfoAnswer {
        /// The coordinator's short address.
        nwk: u16,
        /// [`STATE_COORDINATOR`](super::util::STATE_COORDINATOR) when it runs.
        state: u8,
        /// The PAN id.
        pan_id: u16,
        /// The short address of the parent.
        parent: u16,
        /// The extended PAN id.
        ext_pan_id: u64,
        /// The address of the parent.
        parent_ieee: Ieee,
        /// The channel, 11 to 26.
        channel: u8,
    }
    /// The answer to [`NwkAddrReq`]. (`ZDO_NWK_ADDR_RSP`)
    Areq Zdo 0x80 NwkAddrRsp {
        /// 0 when it is known.
        status: u8,
        /// Whose.
        ieee: Ieee,
        /// The short address.
        nwk: u16,
    }
    /// The answer to [`IeeeAddrReq`]. (`ZDO_IEEE_ADDR_RSP`)
    Areq Zdo 0x81 IeeeAddrRsp {
        /// 0 when it is known.
        status: u8,
        /// The address.
        ieee: Ieee,
        /// Whose.
        nwk: u16,
    }
    /// The answer to [`NodeDescReq`]. (`ZDO_NODE_DESC_RSP`)
    Areq Zdo 0x82 NodeDescRsp {
        /// Who answers.
        source: u16,
        /// 0 when it is known.
        status: u8,
        /// Of whom.
        nwk: u16,
        /// What follows when the status is 0.
        body: Rest,
    }
    /// The answer to [`SimpleDescReq`]. (`ZDO_SIMPLE_DESC_RSP`)
    Areq Zdo 0x84 SimpleDescRsp {
        /// Who answers.
        source: u16,
        /// 0 when it is known.
        status: u8,
        /// Of whom.
        nwk: u16,
        /// What follows when the status is 0.
        body: Rest,
    }
    /// The answer to [`ActiveEpReq`]. (`ZDO_ACTIVE_EP_RSP`)
    Areq Zdo 0x85 ActiveEpRsp {
        /// Who answers.
        source: u16,
        /// 0 when it is known.
        status: u8,
        /// Of whom.
        nwk: u16,
        /// The endpoints.
        endpoints: List<u8>,
    }
    /// The answer to [`BindReq`]. (`ZDO_BIND_RSP`)
    Areq Zdo 0xA1 BindRsp {
        /// Who answers.
        source: u16,
        /// 0 when it is bound.
        status: u8,
    }
    /// The answer to [`UnbindReq`]. (`ZDO_UNBIND_RSP`)
    Areq Zdo 0xA2 UnbindRsp {
        /// Who answers.
        source: u16,
        /// 0 when it was bound.
        status: u8,
    }
    /// The answer to [`MgmtLqiReq`]. (`ZDO_MGMT_LQI_RSP`)
    Areq Zdo 0xB1 MgmtLqiRsp {
        /// Who answers.
        source: u16,
        /// 0 when it is known.
        status: u8,
        /// Rows in all.
        total: u8,
        /// The first row here.
        start: u8,
        /// How many rows are here.
        count: u8,
        /// The rows, 22 bytes each.
        rows: Rest,
    }
    /// The answer to [`MgmtLeaveReq`]. (`ZDO_MGMT_LEAVE_RSP`)
    Areq Zdo 0xB4 MgmtLeaveRsp {
        /// Who answers.
        source: u16,
        /// 0 when it leaves.
        status: u8,
    }
    /// The answer to [`MgmtPermitJoinReq`]. (`ZDO_MGMT_PERMIT_JOIN_RSP`)
    Areq Zdo 0xB6 MgmtPermitJoinRsp {
        /// Who answers.
        source: u16,
        /// 0 when it is so.
        status: u8,
    }
    /// The coordinator's state is another now. (`ZDO_STATE_CHANGE_IND`)
    Areq Zdo 0xC0 StateChangeInd {
        /// [`STATE_COORDINATOR`](super::util::STATE_COORDINATOR) when it runs.
        state: u8,
    }
    /// A device says that it is here. (`ZDO_END_DEVICE_ANNCE_IND`)
    Areq Zdo 0xC1 EndDeviceAnnceInd {
        /// Who passed it on.
        source: u16,
        /// Its short address.
        nwk: u16,
        /// Its address.
        ieee: Ieee,
        /// Bit 1 router, bit 2 mains, bit 3 always listening.
        capabilities: u8,
    }
    /// A device has left. (`ZDO_LEAVE_IND`)
    Areq Zdo 0xC9 LeaveInd {
        /// Its short address.
        nwk: u16,
        /// Its address.
        ieee: Ieee,
        /// 1 when it was asked to.
        request: u8,
        /// 1 when its children leave too.
        children: u8,
        /// 1 when it joins again.
        rejoin: u8,
    }
    /// A device has been given the key. (`ZDO_TC_DEV_IND`)
    Areq Zdo 0xCA TcDeviceInd {
        /// Its short address.
        nwk: u16,
        /// Its address.
        ieee: Ieee,
        /// Its parent's short address.
        parent: u16,
    }
    /// Joining is allowed, or no longer. (`ZDO_PERMIT_JOIN_IND`)
    Areq Zdo 0xCB PermitJoinInd {
        /// Seconds left; 0 when it has ended.
        seconds: u8,
    }
}
