package bridge

import (
	"encoding/xml"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

func testNet(prefix string) *Net {
	return New(Config{Range: netip.MustParsePrefix(prefix), DNS: []netip.Addr{netip.MustParseAddr("9.9.9.9")}}, "/var/lib/gitd", nil)
}

// TestAddresses: no two machines have one address, neither the host's nor the network's own is given, and one that was
// freed is the last to be given again.
func TestAddresses(t *testing.T) {
	n := testNet("10.77.0.0/29")
	taken := map[string]netip.Addr{"found": netip.MustParseAddr("10.77.0.3")}
	take := func(id, want string) {
		t.Helper()
		addr, err := n.next(taken)
		if err != nil || addr.String() != want {
			t.Fatalf("%s: %s, %v; want %s", id, addr, err, want)
		}
		taken[id], n.last = addr, addr
	}
	take("a", "10.77.0.2")
	take("b", "10.77.0.4")
	delete(taken, "a")
	take("c", "10.77.0.5")
	take("d", "10.77.0.6")
	take("e", "10.77.0.2")
	addr, err := n.next(taken)
	if r, is := err.(*core.Rejection); !is || !strings.Contains(r.Hint, "wider range") { //nolint:errorlint // as it is returned
		t.Errorf("one more: %s, %v", addr, err)
	}
}

// TestPlug: what the guest is told, and where it is reached.
func TestPlug(t *testing.T) {
	p := testNet("10.77.0.0/16").plug("shop-v1-aa", netip.MustParseAddr("10.77.1.2"))
	if p.MAC != "52:54:0a:4d:01:02" || p.Guest.Address != "10.77.1.2/16" || p.Guest.Gateway != "10.77.0.1" || !slices.Equal(p.Guest.DNS, []string{"9.9.9.9"}) {
		t.Errorf("%+v", p)
	}
	for _, door := range []struct {
		plug       *Plug
		port       int
		was, wants string
	}{{p, 8080, "", "10.77.1.2:8080"}, {p, 0, "", ""}, {&Plug{}, 8080, "/run/app", "/run/app"}} {
		if got := door.plug.Door(door.was, door.port); got != door.wants {
			t.Errorf("%d: %q, want %q", door.port, got, door.wants)
		}
	}
}

// TestDomain reads an address out of what libvirt says of a domain, and out of nothing else.
func TestDomain(t *testing.T) {
	const text = `<domain><name>shop-v1-aa</name><devices>
		<interface type='network'><source network='default'/><filterref filter='x'><parameter name='IP' value='10.1.1.1'/></filterref></interface>
		<interface type='network'><source network='ours' portid='1' bridge='b'/><filterref filter='f'><parameter name='IP' value='10.77.0.2'/></filterref></interface>
	</devices></domain>`
	var d domain
	if err := xml.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if addr, is := d.address("ours"); !is || addr.String() != "10.77.0.2" || d.Name != "shop-v1-aa" {
		t.Errorf("%+v: %s", d, addr)
	}
	if addr, is := d.address("theirs"); is {
		t.Error("an address of another network: ", addr)
	}
}

// TestOpened: a rule opens what it opens in the other network too, in the order by which an address of the host itself
// needs a rule for that very address.
func TestOpened(t *testing.T) {
	for text, want := range map[string]int{
		"10.0.0.0/8": within, "10.9.9.9:5432": exact, "172.16.0.0/12": within,
		"192.0.0.0/8": 0, // wider than what is closed there
		"224.0.0.1":   0, // nobody's
	} {
		r, err := core.ParseEgressRule(text)
		if err != nil {
			t.Fatal(err)
		}
		rules := opened(core.Egress{Rules: []core.EgressRule{r}})
		if want == 0 && len(rules) > 0 || want != 0 && (len(rules) != 2 || rules[0].Priority != want) {
			t.Errorf("%s: %+v", text, rules)
		}
	}
}

// TestCommon: the last word on frames and on connections is no, and what is closed comes before what is open.
func TestCommon(t *testing.T) {
	rules, err := testNet("10.77.0.0/16").common()
	if err != nil {
		t.Fatal(err)
	}
	text, err := xml.Marshal(filter{Name: "gitd", Chain: "root", Rules: rules})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`<rule action="drop" direction="out" priority="-900"><mac match="no" srcmacaddr="$MAC"></mac></rule>`,
		`<rule action="drop" direction="inout" priority="-600"></rule>`,
		`<rule action="reject" direction="out" priority="250"><all dstipaddr="10.77.0.1" dstipmask="32"></all></rule>`,
		`<rule action="reject" direction="out" priority="400"><all dstipaddr="169.254.0.0" dstipmask="16"></all></rule>`,
		`<rule action="accept" direction="out" priority="100"><udp dstipaddr="9.9.9.9" dstipmask="32" dstportstart="53"></udp></rule>`,
		`<rule action="drop" direction="inout" priority="900"><all></all></rule>`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("without %s:\n%s", want, text)
		}
	}
}

// TestRefuse: what this network has not is refused with what to type, and nothing of it is left out in silence.
func TestRefuse(t *testing.T) {
	rule := func(text string) core.Egress {
		r, err := core.ParseEgressRule(text)
		if err != nil {
			t.Fatal(err)
		}
		return core.Egress{Rules: []core.EgressRule{r}}
	}
	for want, e := range map[string]core.Egress{
		"links:remove": {Links: []core.LinkEnd{{ID: 1}}}, "network:rate APP none": {Rate: 5}, "network:deny": rule("[fd00::5]"), "have the service listen": rule("127.0.0.1:5432"),
	} {
		r, is := Refuse(e).(*core.Rejection) //nolint:errorlint // as it is returned
		if !is || !strings.Contains(r.Hint, want) || !strings.Contains(r.Hint, Without) {
			t.Errorf("%+v: %v", e, r)
		}
	}
	if err := Refuse(rule("10.0.0.5:5432")); err != nil {
		t.Error(err)
	}
}
