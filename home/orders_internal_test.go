package home

import (
	"bytes"
	"testing"

	"vitalog/exchange"
	"vitalog/key"
)

func FuzzDecodeOrders(f *testing.F) {
	f.Add(encodeOrders([]exchange.Ordered{{Log: key.Log{1}, Entry: 7}, {Log: key.Log{1}, Entry: 9}, {Log: key.Log{2}, Entry: 1}}))
	f.Add(encodeOrders([]exchange.Ordered{{Log: key.Log{2}}, {Log: key.Log{1}}}))
	f.Add(encodeOrders(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		orders, err := decodeOrders(b)
		if err != nil {
			return
		}
		if !bytes.Equal(encodeOrders(orders), b) {
			t.Errorf("%x encodes as %x", b, encodeOrders(orders))
		}
		if n := len(orders); n == 0 || n > exchange.MaxOrders {
			t.Errorf("%d orders", n)
		}
	})
}
