package feed_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"vitalog/exchange"
	"vitalog/gateway"
	"vitalog/internal/testnet"
	"vitalog/node"
)

// ward is a member with a listener for HL7 v2, and who reads there.
type ward struct {
	t   *testing.T
	net *testnet.Net
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{t, testnet.Start(t, 1, 0)}
	w.net.Stop(t, 0)
	dir := w.net.MemberDir(0)
	c, err := node.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	c.HL7, c.HL7Processing, c.HL7Systems = l.Addr().String(), []string{"P", "T"}, map[string]string{"GHH": "urn:oid:2.999.1"}
	l.Close()
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	w.start()
	return w
}

func (w *ward) start() {
	w.t.Helper()
	w.net.Restart(w.t, 0, node.Options{})
	w.net.WaitReady(w.t)
}

// line is a connection of an interface engine.
type line struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

func (w *ward) dial() *line {
	w.t.Helper()
	c, err := net.Dial("tcp", w.net.Nodes[0].Config.HL7)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return &line{w.t, c, bufio.NewReader(c)}
}

// send sends a message and returns its acknowledgement.
func (l *line) send(message string) string {
	l.t.Helper()
	if _, err := l.c.Write([]byte("\x0b" + message + "\x1c\r")); err != nil {
		l.t.Fatal(err)
	}
	frame, err := l.in.ReadString(0x1c)
	if err != nil {
		l.t.Fatalf("%v after %q", err, frame)
	}
	l.in.ReadByte()
	return strings.Trim(frame, "\x0b\x1c")
}

// want fails the test unless the acknowledgement has the code, names the message, and has the words.
func (l *line) want(message, code string, words ...string) string {
	l.t.Helper()
	ack := l.send(message)
	control := strings.Split(message, "|")[9]
	for _, w := range append(words, "\rMSA|"+code+"|"+control) {
		if !strings.Contains(ack, w) {
			l.t.Fatalf("got %q, want %q", ack, w)
		}
	}
	return ack
}

// message is a message of a type with a control id and these segments.
func message(kind, control string, segments ...string) string {
	return fmt.Sprintf(`MSH|^~\&|ADT1|GHH|||20260302083000+0100||%s|%s|P|2.5.1`+"\r", kind, control) + strings.Join(segments, "\r") + "\r"
}

// person and visit are segments of a patient with a number.
func person(number string) string { return `PID|1||` + number + `^^^GHH^MR||Rossi^Maria||19800101|F` }

func visit(number string) string { return `PV1|1|I|W3^12^1||||||||||||||||V` + number + `^^^GHH^VN` }

func TestMessagesGetIntoCharts(t *testing.T) {
	w := newWard(t)
	for name, test := range map[string]func(*testing.T, *ward){
		"a stay is one encounter from admission to discharge":              aStay,
		"a message that comes again is answered again and writes nothing":  replays,
		"a refused message leaves nothing and may come mended":             refusals,
		"a merge links two patients in both charts":                        merges,
		"messages of many connections make one chart and one visit":        manyConnections,
		"the patient sees the sending application":                         seenByThePatient,
		"a client of npm, unmodified, works":                               unmodified,
		"a message whose way broke is completed, not repeated":             breaking,
		"a document is a reference and its bytes, whole":                   document,
		"a CDA document comes by HTTP as it is":                            clinicalDocument,
		"the samples that are taken get onto the ledger, and only they do": sampled,
	} {
		t.Run(name, func(t *testing.T) { test(t, &ward{t, w.net}) })
	}
}

// get reads as a physician.
func (w *ward) get(path string, query url.Values) []map[string]any {
	w.t.Helper()
	n := w.net.Nodes[0]
	who := exchange.Asker{Practitioner: "p-1", Name: "A. Okafor", Role: "physician", Purpose: exchange.Treat}
	token, err := gateway.IssueToken(n.Ring.Tokens(), n.Member.Name(), n.Config.URL()+"/fhir", who, time.Minute, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequest("GET", n.Config.URL()+"/fhir/"+path+"?"+query.Encode(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: %s %s", path, resp.Status, body)
	}
	var all struct {
		ResourceType string
		Entry        []struct{ Resource map[string]any }
	}
	if err := json.Unmarshal(body, &all); err != nil {
		w.t.Fatal(err)
	}
	if all.ResourceType != "Bundle" {
		var one map[string]any
		if err := json.Unmarshal(body, &one); err != nil {
			w.t.Fatal(err)
		}
		return []map[string]any{one}
	}
	var out []map[string]any
	for _, e := range all.Entry {
		out = append(out, e.Resource)
	}
	return out
}

func (w *ward) chart(value string) string {
	w.t.Helper()
	id, ok, err := w.net.Nodes[0].Member.FindPatient("urn:oid:2.999.1", value)
	if err != nil || !ok {
		w.t.Fatalf("patient %s: found %v, %v", value, ok, err)
	}
	return id
}

// of are the resources of a type of a patient.
func (w *ward) of(kind, chart string) []map[string]any {
	return w.get(kind, url.Values{"patient": {chart}, "_count": {"1000"}})
}

// size is how many entries the ledger has, the traces of what was read before included.
func (w *ward) size() (all uint64) {
	w.t.Helper()
	n := w.net.Nodes[0]
	if err := n.Member.Flushed(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ledger := n.Chain.Ledger()
	for i := range ledger.Logs() {
		h, err := ledger.HeadByNumber(i)
		if err != nil {
			w.t.Fatal(err)
		}
		all += h.Size
	}
	return all
}

func aStay(t *testing.T, w *ward) {
	l := w.dial()
	l.want(message("ADT^A01^ADT_A01", "11-1", person("11"), visit("11")), "AA")
	chart := w.chart("11")
	l.want(message("ADT^A08^ADT_A01", "11-2", `PID|1||11^^^GHH^MR||Bianchi^Maria||19800101|F|||Via Roma 1^^Torino`, visit("11")), "AA")
	l.want(message("ORU^R01^ORU_R01", "11-3", person("11"), visit("11"), "OBR|1||R1^GHH|24317-0^Hemogram^LN|||20260302080000+0100||||||||||||||||||P", "OBX|1|NM|718-7^Hemoglobin^LN||12.50|g/dL^^UCUM|13-18|L|||P"), "AA")
	l.want(message("ORU^R01^ORU_R01", "11-4", person("11"), visit("11"), "OBR|1||R1^GHH|24317-0^Hemogram^LN|||20260302080000+0100||||||||||||||||||F", "OBX|1|NM|718-7^Hemoglobin^LN||12.70|g/dL^^UCUM|13-18|L|||F"), "AA")
	l.want(message("ADT^A03^ADT_A03", "11-5", person("11"), `PV1|1|I|||||||||||||||||V11^^^GHH^VN|||||||||||||||||||||||||20260302083000+0100|20260305100000+0100`), "AA")

	visits := w.of("Encounter", chart)
	if len(visits) != 1 || visits[0]["status"] != "finished" || visits[0]["location"] == nil {
		t.Errorf("got %v, want one finished stay in its ward", visits)
	}
	reports, results := w.of("DiagnosticReport", chart), w.of("Observation", chart)
	if len(reports) != 1 || reports[0]["status"] != "final" || len(results) != 1 || results[0]["status"] != "final" {
		t.Errorf("got %v and %v, want the final report and its one result", reports, results)
	}
	if raw, _ := json.Marshal(results); !bytes.Contains(raw, []byte("12.7")) {
		t.Errorf("got %s", raw)
	}
	if raw, _ := json.Marshal(w.get("Patient/"+chart, nil)); !bytes.Contains(raw, []byte("Bianchi")) || !bytes.Contains(raw, []byte("Torino")) {
		t.Errorf("got %s, want the new name and address", raw)
	}
}

func replays(t *testing.T, w *ward) {
	admission := message("ADT^A01^ADT_A01", "12-1", person("12"), visit("12"), "AL1|1|DA|7980^Penicillin^RXNORM|SV|hives")
	w.dial().want(admission, "AA")
	before := w.size()
	w.dial().want(admission, "AA")
	w.net.Stop(t, 0)
	w.start()
	l := w.dial()
	l.want(admission, "AA")
	if after := w.size(); after != before {
		t.Errorf("the ledger had %d entries, now %d", before, after)
	}
	l.want(strings.Replace(admission, "Maria", "Mara", 1), "AE", "|205^")
	if after := w.size(); after != before {
		t.Errorf("the ledger had %d entries, now %d", before, after)
	}
}

func refusals(t *testing.T, w *ward) {
	before := w.size()
	l := w.dial()
	l.want(message("SIU^S12", "13-1", person("13")), "AR", "|200^")
	l.want(message("ADT^A60", "13-1", person("13")), "AR", "|201^")
	l.want(message("ADT^A40^ADT_A39", "13-1", person("13"), "MRG|9999^^^GHH^MR"), "AE", "ERR||MRG^1^1|204^")
	l.want(message("ADT^A01", "13-1", `PID|1||||Rossi`), "AE", "ERR||PID^1^3|101^")
	if n := w.size(); n != before {
		t.Errorf("refused messages left %d entries", n-before)
	}
	l.want(message("ADT^A01", "13-1", person("13"), visit("13")), "AA")
	if _, err := l.c.Write([]byte("\x0bnonsense\x1c\r")); err != nil {
		t.Fatal(err)
	}
	if ack, err := l.in.ReadString(0x1c); err != nil || !strings.Contains(ack, "\rMSA|AR||") {
		t.Errorf("got %q, %v", ack, err)
	}
}

func merges(t *testing.T, w *ward) {
	l := w.dial()
	l.want(message("ADT^A04", "14-1", person("14"), visit("14")), "AA")
	l.want(message("ADT^A04", "14-2", person("15"), visit("15")), "AA")
	l.want(message("ADT^A40^ADT_A39", "14-3", person("14"), "MRG|15^^^GHH^MR"), "AA")
	kept, gone := w.chart("14"), w.chart("15")
	link := func(id string) string {
		p := w.get("Patient/"+id, nil)[0]
		raw, err := json.Marshal([]any{p["active"], p["link"]})
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	if got, want := link(gone), `[false,[{"other":{"reference":"Patient/`+kept+`"},"type":"replaced-by"}]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := link(kept), `[null,[{"other":{"reference":"Patient/`+gone+`"},"type":"replaces"}]]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a, b := w.of("Encounter", kept), w.of("Encounter", gone); len(a) != 1 || len(b) != 1 {
		t.Errorf("the charts were mixed: %v and %v", a, b)
	}
	l.want(message("ADT^A08", "14-4", strings.Replace(person("14"), "Rossi", "Verdi", 1), visit("14")), "AA")
	if got := link(kept); !strings.Contains(got, gone) {
		t.Errorf("an update of the demographics took the link away: %s", got)
	}
}

func manyConnections(t *testing.T, w *ward) {
	var all sync.WaitGroup
	for i := range 6 {
		l := w.dial()
		all.Go(func() {
			m := message("ADT^A04", fmt.Sprint("16-", i), person("16"), visit("16"))
			if i%2 == 1 {
				m = message("ORU^R01", fmt.Sprint("16-", i), person("16"), visit("16"), fmt.Sprintf("OBR|1||R%d^GHH|718-7^Hemoglobin^LN", i), "OBX|1|NM|718-7^Hemoglobin^LN||12.5|g/dL^^UCUM||||||F")
			}
			if ack := l.send(m); !strings.Contains(ack, "\rMSA|AA|") {
				t.Errorf("got %q", ack)
			}
		})
	}
	all.Wait()
	chart := w.chart("16")
	if v, r := w.of("Encounter", chart), w.of("DiagnosticReport", chart); len(v) != 1 || len(r) != 3 {
		t.Errorf("got %d visits and %d reports, want 1 and 3", len(v), len(r))
	}
}

func seenByThePatient(t *testing.T, w *ward) {
	l := w.dial()
	l.want(message("ADT^A04", "17-1", person("17"), visit("17")), "AA")
	l.want(message("ADT^A08", "17-2", person("17"), visit("17")), "AA")
	member := w.net.Nodes[0].Member
	if err := member.Flushed(t.Context()); err != nil {
		t.Fatal(err)
	}
	patient, err := member.Custody(w.chart("17"))
	if err != nil {
		t.Fatal(err)
	}
	activity, err := patient.Activity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range activity.Rows {
		if row.Detail == nil || row.Detail.Name != "ADT1 at GHH" || !row.Detail.Machine {
			t.Errorf("got %+v", row.Detail)
		}
	}
	if len(activity.Rows) == 0 {
		t.Error("reading the demographics before changing them left no trace")
	}
}

func sampled(t *testing.T, w *ward) {
	files, err := filepath.Glob("../../shared/data/hl7v2/microsoft-fhir-converter/*.hl7")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("no sample messages in ../shared/data/hl7v2")
		}
		t.Skip("no sample messages in ../shared/data/hl7v2")
	}
	refused := refusedSamples(t)
	l := w.dial()
	answers, known := map[string]int{}, map[string]bool{}
	for i, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// The samples share control ids; an interface engine gives each its own.
		text := strings.TrimPrefix(string(raw), "\ufeff")
		first, rest, _ := strings.Cut(strings.NewReplacer("\r\n", "\r", "\n", "\r").Replace(text), "\r")
		fields := strings.Split(first, "|")
		fields[9] = fmt.Sprint("sample", i)
		name := strings.TrimSuffix(filepath.Base(file), ".hl7")
		want, is := refused[name]
		if !is {
			want = "AA"
		}
		if strings.Contains(first, "ADT^A40") { // whom it merges must be known
			_, prior, _ := strings.Cut(rest, "MRG|")
			number, _, _ := strings.Cut(prior, "^")
			l.want(message("ADT^A04", "before "+name, strings.ReplaceAll(person(number), "GHH", "BCBS"), visit(number)), "AA")
		}
		ack := l.send(strings.Join(fields, "|") + "\r" + rest)
		if !strings.Contains(ack, "\rMSA|"+want+"|") {
			t.Errorf("%s: want %s, got %q", name, want, ack)
		} else if want == "AA" {
			w.readsBack(name, known)
		}
		answers[want]++
	}
	t.Logf("%d samples: %d AA, %d AE, %d AR", len(files), answers["AA"], answers["AE"], answers["AR"])
}

// readsBack looks in the chart for everything that the golden file of a sample has.
func (w *ward) readsBack(name string, known map[string]bool) {
	w.t.Helper()
	raw, err := os.ReadFile(filepath.Join("../hl7/testdata/golden", name+".json"))
	if err != nil {
		w.t.Error(err)
		return
	}
	member := w.net.Nodes[0].Member
	own := url.PathEscape(member.Name())
	raw = []byte(strings.NewReplacer("hl7v2:St.%20Elena:", "hl7v2:"+own+":", "hl7v2:St.%2520Elena:", "hl7v2:"+url.PathEscape(own)+":").Replace(string(raw)))
	var golden struct {
		Entry []struct{ Resource map[string]any }
	}
	if err := json.Unmarshal(raw, &golden); err != nil {
		w.t.Fatal(err)
	}
	chart := ""
	for _, e := range golden.Entry {
		names, _ := e.Resource["identifier"].([]any)
		for _, n := range names {
			id, _ := n.(map[string]any)
			if system, ok := id["system"].(string); ok && e.Resource["resourceType"] == "Patient" && chart == "" {
				if chart, _, err = member.FindPatient(system, id["value"].(string)); err != nil {
					w.t.Fatal(err)
				}
			}
		}
	}
	if chart == "" {
		w.t.Errorf("%s: its patient isn't found", name)
		return
	}
	there := map[string]bool{}
	for _, r := range w.get("Patient/"+chart+"/$everything", url.Values{"_count": {"1000"}}) {
		there[bare(w.t, r)] = true
	}
	for _, e := range golden.Entry {
		// Who and which visit it was is in many messages, and only those of admissions change what is known.
		who, again := chart, e.Resource["id"] == "prior"
		if e.Resource["resourceType"] == "Encounter" {
			who = fmt.Sprint(e.Resource["identifier"])
		}
		if kind := e.Resource["resourceType"]; kind == "Patient" || kind == "Encounter" {
			again = again || known[who]
			known[who] = true
		}
		if want := bare(w.t, e.Resource); !again && !there[want] {
			w.t.Errorf("%s: the chart doesn't have %.300s", name, want)
		}
	}
}

// bare is a resource without what a member gives it: id, meta and where its references lead.
func bare(t *testing.T, r map[string]any) string {
	t.Helper()
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			delete(v, "reference")
			for _, x := range v {
				strip(x)
			}
		case []any:
			for _, x := range v {
				strip(x)
			}
		}
	}
	strip(r)
	delete(r, "id")
	delete(r, "meta")
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// refusedSamples are the samples that are refused, and with which code.
func refusedSamples(t *testing.T) map[string]string {
	t.Helper()
	list, err := os.ReadFile("../hl7/testdata/golden/refused.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) > 1 {
			out[f[0]] = f[1]
		}
	}
	return out
}
