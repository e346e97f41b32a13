package op_test

import (
	"crypto/sha256"
	"testing"

	"vitalog/consent"
	"vitalog/key"
	"vitalog/op"
	"vitalog/threshold"
	"vitalog/ticket"
	"vitalog/wire"
)

var network = key.Network(seed("network"))

func seed(name string) [32]byte { return sha256.Sum256([]byte(name)) }

func actor(name string) *key.Signing { return key.NewSigning(seed("actor " + name)) }

// fill makes recognisable bytes.
func fill(dst []byte, with byte) {
	for i := range dst {
		dst[i] = with
	}
}

func someTicket() (t ticket.Ticket) {
	t.Issuer = 2
	fill(t.Prefix[:], 0xa1)
	fill(t.Sig[:], 0xa2)
	return t
}

func record(with byte) (x op.Record) {
	fill(x.ID[:], with)
	fill(x.Core[:], with+1)
	fill(x.Blob[:], with+2)
	x.Size = 12
	return x
}

// samples is one body of each kind, in the order of their numbers, and some variants.
func samples() []op.Body {
	reader := consent.Terms{Key: actor("hospital").Public(), Rights: consent.Read | consent.Write, Ranges: []consent.Range{{From: 0, To: 9}, {From: 12, To: consent.Forever}},
		From: 1_760_000_000_000, Until: 1_770_000_000_000, Uses: 20, Parent: 3}
	access := &op.Access{Grant: 7, Further: true, Ranges: []consent.Range{{From: 4, To: 6}}, Session: seed("session"), Detail: seed("detail")}
	reveal := &op.Reveal{Gen: 1, Salt: seed("salt"), Commitments: make([]threshold.Point2, 2), Deals: []wire.Hash{seed("deal 1"), seed("deal 2"), seed("deal 3")}}
	fill(reveal.Commitments[0][:], 0xc0)
	fill(reveal.Commitments[1][:], 0xc1)
	fill(reveal.Proof[:], 0xc2)
	share := threshold.Scalar{31: 5}
	return []op.Body{
		&op.Create{Salt: seed("salt"), EpochKey: seed("epoch 1"), Ticket: someTicket()},
		&op.Append{Epoch: 3, NetGen: 1, Records: []op.Record{record(0x10), record(0x20)}},
		&op.Grant{Terms: reader, Message: seed("message")},
		&op.Revoke{Grant: 7},
		access,
		&op.Rotate{Epoch: 4, EpochKey: seed("epoch 4")},
		op.NewRekeyOwner(network, someLog, actor("owner").Public(), actor("patient")),
		op.NewRekeyGrantee(network, someLog, actor("hospital").Public(), actor("hospital 2")),
		op.NewBlock(consent.Range{From: 2, To: 3}),
		op.NewDestroy(consent.Range{From: 2, To: 3}, consent.Range{From: 5, To: 9}),
		&op.Post{Message: seed("message"), Size: 1234, Ticket: someTicket()},
		&op.Hello{Gen: 1, Exchange: *key.NewDecapsulating(seed("hello")).Exchange()},
		&op.Commit{Gen: 1, Reveal: seed("reveal")},
		reveal,
		&op.Verdict{Gen: 1, Complain: []uint16{2, 4}},
		&op.Justify{Gen: 1, Deals: []op.Justification{{Receiver: 3, Share: share}}},
		&op.Tick{Gen: 1},
		&op.Anchor{Use: op.UsePortal, Hash: seed("release")},
		&op.Deleted{Upto: 56},
		&op.Stored{Upto: 57, Missing: []wire.Hash{{0x10}, {0x20}}, Back: []wire.Hash{{0x11}}},
		&op.Keep{Destroy: 10, Ranges: []consent.Range{{From: 2, To: 3}, {From: 5, To: 6}}, Until: 2_080_000_000_000},
	}
}

var someLog = key.LogID(network, actor("owner").Public(), [32]byte{})

// entries is one entry of each kind that there is.
func entries() (out []*op.Entry) {
	says := func(b op.Statement) {
		out = append(out, &op.Entry{Log: someLog, Number: uint64(len(out)), At: 1_760_000_000_000 + uint64(len(out)), Signer: actor("owner").Public(), Says: b})
	}
	for _, b := range samples() {
		switch b := b.(type) {
		case *op.Append:
			says(&op.Recorded{Epoch: b.Epoch, NetGen: b.NetGen, Record: b.Records[0]})
		case *op.Access:
			says(&op.Accessed{Access: *b, Why: consent.Expired})
		case *op.Deleted:
			says(&op.Cleared{Deleted: *b, Before: 1_760_000_000_500})
		default:
			if b.Kind() < op.KindHello {
				says(b)
			}
		}
	}
	says(&op.Refusals{Key: actor("hospital").Public(), Hour: 488_888, Count: 3})
	return out
}

func someHead() *op.Head {
	terms := samples()[2].(*op.Grant).Terms
	return &op.Head{Number: 5, Log: someLog, Owners: []key.Verifier{actor("owner").Public()}, Epoch: 3, EpochKey: seed("epoch 3"), Size: 12, Root: seed("root"),
		Grants: []op.Granted{
			{Grant: consent.Grant{Entry: 1, Terms: consent.Terms{Key: actor("lab").Public(), Rights: consent.Write}, Revoked: true}},
			{Grant: consent.Grant{Entry: 7, Terms: terms, Used: 2}, Share: op.Bucket{Operations: 9, Bytes: 1000, At: 1_760_000_000_000}, Hour: 488_888, Refused: 3},
		},
		Erased: []consent.Range{{From: 2, To: 3}, {From: 5, To: 9}},
		Kept: []consent.Kept{{Key: actor("lab").Public(), Range: consent.Range{From: 2, To: 3}, Until: 1_900_000_000_000},
			{Key: actor("hospital").Public(), Range: consent.Range{From: 5, To: 7}, Until: 2_080_000_000_000}},
		Quota: op.Bucket{Operations: 19_999, Bytes: 67_000_000, At: 1_760_000_000_001}}
}

// signed is body as an operation with a fixed nonce, so that its bytes are always the same.
func signed(t testing.TB, body op.Body) *op.Operation {
	t.Helper()
	owner := actor("owner")
	o := &op.Operation{Log: someLog, Signer: owner.Public(), Expires: 1_760_000_060_000, Body: body}
	if body.Kind() >= op.KindHello {
		o.Log = key.Log{}
	}
	fill(o.Nonce[:], byte(body.Kind()))
	unsigned, err := op.Decode(network, o.Encode(network))
	if err != nil {
		t.Fatalf("%v: %v", body.Kind(), err)
	}
	id := unsigned.ID()
	unsigned.Sig = owner.Sign(id[:])
	return unsigned
}
