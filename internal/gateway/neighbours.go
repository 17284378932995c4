package gateway

import (
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"

	"github.com/nodeos-dev/gitd/internal/gateway/wire"
)

// The addresses as the stack has them.
var (
	guestAddress    = tcpip.AddrFromSlice(wire.Guest.AsSlice())
	gatewayAddress  = tcpip.AddrFromSlice(wire.Gateway.AsSlice())
	dnsAddress      = tcpip.AddrFromSlice(wire.DNS.AsSlice())
	guestAddress6   = tcpip.AddrFromSlice(wire.Guest6.AsSlice())
	gatewayAddress6 = tcpip.AddrFromSlice(wire.Gateway6.AsSlice())
)

// isGuests4 reports whether a packet is one that the guest may send. Its source is the guest's own address: an answer
// to another one would go nowhere, and the stack would keep what waits for it. ICMP is for the gateway alone, because
// the stack would answer an echo for each address of the world.
func isGuests4(b []byte) bool {
	ip := header.IPv4(b)
	if len(b) < header.IPv4MinimumSize || ip.SourceAddress() != guestAddress {
		return false
	}
	switch ip.TransportProtocol() {
	case header.TCPProtocolNumber, header.UDPProtocolNumber:
		return true
	case header.ICMPv4ProtocolNumber:
		to := ip.DestinationAddress()
		return to == gatewayAddress || to == dnsAddress
	}
	return false
}

// isGuests6 is isGuests4 for IPv6. Its packets come without headers of extension: in them a destination could hide, and
// pieces need none on a cable without a narrower one behind it.
func isGuests6(b []byte) bool {
	ip := header.IPv6(b)
	if len(b) < header.IPv6MinimumSize || ip.SourceAddress() != guestAddress6 || addrOf(ip.DestinationAddress()).Is4() {
		return false
	}
	switch tcpip.TransportProtocolNumber(ip.NextHeader()) {
	case header.TCPProtocolNumber, header.UDPProtocolNumber:
		return true
	case header.ICMPv6ProtocolNumber:
		echo := len(b) > header.IPv6MinimumSize && header.ICMPv6(b[header.IPv6MinimumSize:]).Type() == header.ICMPv6EchoRequest
		return echo && ip.DestinationAddress() == gatewayAddress6
	}
	return false
}

// answerARP says that every address but the guest's own is here: what the guest then sends there is judged, and
// refused at once instead of after the seconds that ARP waits.
func (l *link) answerARP(b []byte) {
	ask := header.ARP(b)
	if !ask.IsValid() || ask.Op() != header.ARPRequest {
		return
	}
	target := tcpip.AddrFromSlice(ask.ProtocolAddressTarget())
	if target == guestAddress || tcpip.AddrFromSlice(ask.ProtocolAddressSender()) != guestAddress {
		return // it asks whether somebody else has its address, or is somebody else
	}
	answer := header.ARP(make([]byte, header.ARPSize))
	answer.SetIPv4OverEthernet()
	answer.SetOp(header.ARPReply)
	copy(answer.HardwareAddressSender(), gatewayMAC)
	copy(answer.ProtocolAddressSender(), ask.ProtocolAddressTarget())
	copy(answer.HardwareAddressTarget(), ask.HardwareAddressSender())
	copy(answer.ProtocolAddressTarget(), ask.ProtocolAddressSender())
	l.mu.Lock()
	l.append(header.ARPProtocolNumber, len(answer), answer)
	l.flush()
}

// solicitSize is the least that asks for a neighbour.
const solicitSize = header.IPv6MinimumSize + header.ICMPv6NeighborSolicitMinimumSize

// isSolicit reports whether a packet is IPv6's question for a neighbour.
func isSolicit(b []byte) bool {
	if len(b) < solicitSize || header.IPv6(b).NextHeader() != uint8(header.ICMPv6ProtocolNumber) {
		return false
	}
	return header.ICMPv6(b[header.IPv6MinimumSize:]).Type() == header.ICMPv6NeighborSolicit
}

// answerSolicit is answerARP for IPv6. The stack's own part of neighbours, routers and groups never sees the guest.
func (l *link) answerSolicit(b []byte) {
	asker := header.IPv6(b).SourceAddress()
	target := header.NDPNeighborSolicit(header.ICMPv6(b[header.IPv6MinimumSize:]).MessageBody()).TargetAddress()
	if asker != guestAddress6 || target == guestAddress6 {
		return
	}
	options := header.NDPOptionsSerializer{header.NDPTargetLinkLayerAddressOption(gatewayMAC)}
	size := header.ICMPv6NeighborAdvertMinimumSize + options.Length()
	answer := make([]byte, header.IPv6MinimumSize+size)
	header.IPv6(answer).Encode(&header.IPv6Fields{
		PayloadLength: uint16(size), TransportProtocol: header.ICMPv6ProtocolNumber, HopLimit: header.NDPHopLimit,
		SrcAddr: target, DstAddr: asker,
	})
	msg := header.ICMPv6(answer[header.IPv6MinimumSize:])
	msg.SetType(header.ICMPv6NeighborAdvert)
	advert := header.NDPNeighborAdvert(msg.MessageBody())
	advert.SetTargetAddress(target)
	advert.SetRouterFlag(true)
	advert.SetSolicitedFlag(true)
	advert.SetOverrideFlag(true)
	advert.Options().Serialize(options)
	msg.SetChecksum(header.ICMPv6Checksum(header.ICMPv6ChecksumParams{Header: msg, Src: target, Dst: asker}))
	l.mu.Lock()
	l.append(header.IPv6ProtocolNumber, len(answer), answer)
	l.flush()
}
