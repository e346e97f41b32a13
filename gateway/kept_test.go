package gateway

import (
	"bytes"
	"testing"
)

func FuzzKept(f *testing.F) {
	f.Add([]byte(`{"version":1,"body":"AAAA","at":1767312000000,"who":{"Practitioner":"import","Name":"","Role":"","Purpose":"TREAT","Reason":"","Machine":false}}`))
	f.Add([]byte(`{"version":1,"body":null,"at":0,"who":{"Practitioner":"","Name":"","Role":"","Purpose":"","Reason":"","Machine":false},"type":"batch","found":{"Practitioner?identifier=urn:x|1":"Practitioner/1"},"plan":[{"id":"a","chart":"b"},{}],"answer":[{"status":422,"outcome":{"resourceType":"OperationOutcome"}}]}`))
	f.Add([]byte(`{"version":1,"body":"AAAA","at":0,"who":{"Practitioner":"","Name":"","Role":"","Purpose":"","Reason":"","Machine":false},"plan":[{"id":"a","patched":{"from":"3","into":"e30="}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		k, err := decodeKept(raw)
		if err != nil {
			return
		}
		again, err := k.encode()
		if err != nil || !bytes.Equal(again, raw) {
			t.Errorf("%q was decoded and encodes to %q, %v", raw, again, err)
		}
	})
}
