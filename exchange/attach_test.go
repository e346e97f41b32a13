package exchange_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"vitalog/chart"
	"vitalog/exchange"
	"vitalog/key"
	"vitalog/section"
	"vitalog/wire"
)

// noise is bytes that don't compress, and of which any can be told again: SplitMix64 of the place.
type noise struct{ at, end int64 }

func word(i uint64) uint64 {
	i = (i + 1) * 0x9e3779b97f4a7c15
	i = (i ^ i>>30) * 0xbf58476d1ce4e5b9
	i = (i ^ i>>27) * 0x94d049bb133111eb
	return i ^ i>>31
}

func (n *noise) Read(p []byte) (int, error) {
	if n.at == n.end {
		return 0, io.EOF
	}
	p = p[:min(int64(len(p)), n.end-n.at)]
	var b [8]byte
	for done := 0; done < len(p); {
		binary.LittleEndian.PutUint64(b[:], word(uint64(n.at+int64(done))/8))
		done += copy(p[done:], b[(n.at+int64(done))%8:])
	}
	n.at += int64(len(p))
	return len(p), nil
}

func noiseAt(from, to int64) []byte {
	b := make([]byte, to-from)
	(&noise{from, to}).Read(b)
	return b
}

// peak watches the heap until it is asked how much it has grown at most, in bytes. Garbage is collected more often than usual, so that it
// is what is held that counts.
func peak() (grown func() uint64) {
	percent := debug.SetGCPercent(20)
	inUse := func() uint64 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapInuse
	}
	runtime.GC()
	base := inUse()
	most, stop, done := base, make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				most = max(most, inUse())
			case <-stop:
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		debug.SetGCPercent(percent)
		return most - base
	}
}

// attachment is size bytes of noise that member 0 attached to the chart of a patient whom member 1 may read.
func (w *world) attachment(t testing.TB, ctx context.Context, chartID string, size int64) exchange.Location {
	t.Helper()
	at, err := w.Nodes[0].Member.PublishAttachment(ctx, asker("TREAT"), chartID, exchange.Attached{ID: "ct", ContentType: "application/dicom", Section: section.Vitals}, &noise{end: size})
	if err != nil {
		t.Fatal(err)
	}
	w.settle(t, ctx)
	return exchange.Location{Chart: chartID, Section: section.Vitals, Log: at.Log, Entry: at.Entry}
}

// blobOf is the name of an entry's ciphertext.
func (w *world) blobOf(t testing.TB, log key.Log, entry uint64) wire.Hash {
	t.Helper()
	return w.record(t, exchange.Published{Log: log, Entry: entry}).Blob
}

func (w *world) opened(t testing.TB, ctx context.Context, at exchange.Location) *exchange.OpenedBinary {
	t.Helper()
	b, err := w.Nodes[1].Member.OpenBinary(ctx, asker("TREAT"), at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	if b.Bytes == nil {
		t.Fatal("opened as a Binary with its data in it")
	}
	return b
}

// everywhere waits until every member holds the blob.
func (w *world) everywhere(t testing.TB, ctx context.Context, h wire.Hash) {
	t.Helper()
	eventually(t, ctx, "every member has the ciphertext", func() (bool, error) {
		for _, n := range w.Nodes {
			if ok, err := n.Store.Has(h); !ok || err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

func (w *world) object(member int, h wire.Hash) string {
	return filepath.Join(w.MemberDir(member), "data", "blobs", "objects", h.String()[:2], h.String())
}

// flip changes one byte of a member's copy.
func (w *world) flip(t *testing.T, member int, h wire.Hash, at int64) {
	t.Helper()
	f, err := os.OpenFile(w.object(member, h), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1
	if _, err := f.WriteAt(b, at); err != nil {
		t.Fatal(err)
	}
}

// exact compares ranges of an attachment, those at borders of chunks and of sums among them.
func exact(t *testing.T, b *chart.Bytes, size int64) {
	t.Helper()
	for _, at := range []int64{0, 65534, 65535, 65536, 1<<20 - 1, 1 << 20, size/2 - 3, size - 70_000, size - 1} {
		for _, n := range []int64{1, 100, 65536, 1<<20 + 1} {
			to := min(at+n, size)
			got := make([]byte, to-at)
			if _, err := b.ReadAt(got, at); err != nil || !bytes.Equal(got, noiseAt(at, to)) {
				t.Errorf("bytes %d to %d: other bytes, or %v", at, to, err)
			}
		}
	}
}

func TestALargeAttachmentInBoundedMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB through four members")
	}
	const size = 64 << 20
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.chart(t, ctx, w.pulse(t))
	grown := peak()
	at := w.attachment(t, ctx, w.patient.ChartID(), size)
	h := w.blobOf(t, at.Log, at.Entry)
	w.everywhere(t, ctx, h)
	b := w.opened(t, ctx, at)
	whole, want := &noise{end: size}, make([]byte, 1<<20)
	got := make([]byte, 1<<20)
	for n := 0; n < size; n += len(got) {
		if _, err := io.ReadFull(b.Bytes, got); err != nil {
			t.Fatal(err)
		}
		if io.ReadFull(whole, want); !bytes.Equal(got, want) {
			t.Fatalf("other bytes from %d on", n)
		}
	}
	if n := grown(); n > 64<<20 {
		t.Errorf("the heap grew by %d MiB, want at most 64", n>>20)
	}
	exact(t, b.Bytes, size)
	w.opens(t, ctx, 2) // the section has it, without its bytes
	if own, failed, err := w.patient.Record(ctx, section.Vitals); err != nil || len(failed) > 0 || own.Get("Binary", "ct") == nil {
		t.Errorf("the patient sees %v, %v, %v", own, failed, err)
	}

	t.Run("a member without the ciphertext reads another's, and gets it back", func(t *testing.T) {
		if err := w.Nodes[1].Store.Delete(h); err != nil {
			t.Fatal(err)
		}
		exact(t, w.opened(t, ctx, at).Bytes, size)
		w.everywhere(t, ctx, h)
	})
	t.Run("a flipped byte costs nothing while another has a whole copy, and is healed", func(t *testing.T) {
		w.flip(t, 1, h, size/2)
		exact(t, w.opened(t, ctx, at).Bytes, size)
		eventually(t, ctx, "it is healed", func() (bool, error) {
			_, err := w.Nodes[1].Store.Verify(h)
			return err == nil, nil
		})
	})
	t.Run("where no other copy is left, exactly the ranges that contain it fail", func(t *testing.T) {
		for _, i := range []int{0, 2, 3} {
			if err := w.Nodes[i].Store.Delete(h); err != nil {
				t.Fatal(err)
			}
		}
		const bad = size/2 + 500_000 // of the ciphertext: 8 KiB before that in the plaintext
		w.flip(t, 1, h, bad)
		b := w.opened(t, ctx, at).Bytes
		one := make([]byte, 1)
		for mib := int64(0); mib < size; mib += chart.SumSize {
			_, err := b.ReadAt(one, mib)
			if in := bad/chart.SumSize == mib/chart.SumSize; in == (err == nil) {
				t.Errorf("MiB %d: %v", mib>>20, err)
			}
		}
		w.flip(t, 1, h, bad)
		exact(t, w.opened(t, ctx, at).Bytes, size)
	})
	t.Run("a transfer that is cut goes on where it was", func(t *testing.T) {
		part := filepath.Join(w.MemberDir(2), "data", "blobs", "parts", h.String())
		come := func() int64 {
			if st, err := os.Stat(part); err == nil {
				return st.Size()
			}
			return 0
		}
		cut, stop := context.WithCancel(ctx)
		ended := make(chan error, 1)
		go func() {
			_, err := w.Nodes[2].Member.Blob(cut, h)
			ended <- err
		}()
		eventually(t, ctx, "some of it has come", func() (bool, error) { return come() > 8<<20, nil })
		stop()
		if err := <-ended; err == nil {
			t.Skip("it came faster than it could be cut")
		}
		was := come()
		if was < 8<<20 {
			t.Fatalf("of what had come %d bytes are left", was)
		}
		go func() {
			_, err := w.Nodes[2].Member.Blob(ctx, h)
			ended <- err
		}()
		for least := was; ; {
			select {
			case err := <-ended:
				if err != nil || least < was {
					t.Errorf("%v; it went back from %d to %d bytes", err, was, least)
				}
				return
			default:
				if n := come(); n > 0 {
					least = min(least, n)
				}
			}
		}
	})
}

func TestAnAttachmentIsReadUnderAnAccessOfItsOwnOrNotAtAll(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), testTime)
	defer cancel()
	w := newWorld()
	w.chart(t, ctx)
	at := w.attachment(t, ctx, w.patient.ChartID(), 3000)
	b := w.opened(t, ctx, at)
	if got, err := io.ReadAll(b.Bytes); err != nil || !bytes.Equal(got, noiseAt(0, 3000)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if b.Row.Records != 1 || b.Row.Block == 0 || b.Row.Log != at.Log {
		t.Errorf("the access is %+v", b.Row)
	}
	if _, err := w.Nodes[1].Member.OpenBinary(ctx, asker("HRESCH"), at); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("for another purpose: got %v, want %v", err, exchange.ErrNotShared)
	}
	if _, err := w.Nodes[2].Member.OpenBinary(ctx, asker("TREAT"), at); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("by another member: got %v, want %v", err, exchange.ErrNotShared)
	}
	if _, err := w.Nodes[1].Member.PublishAttachment(ctx, asker("TREAT"), at.Chart, exchange.Attached{ID: "x", ContentType: "image/png", Section: section.Labs}, &noise{end: 10}); !errors.Is(err, exchange.ErrNotShared) {
		t.Errorf("writing without the right to: got %v, want %v", err, exchange.ErrNotShared)
	}
	own, failed, err := w.patient.Record(ctx, section.Vitals)
	if err != nil || len(failed) > 0 || own.Get("Binary", "ct") == nil {
		t.Errorf("the patient sees %v, %v, %v", own, failed, err)
	}
}

// BenchmarkAttachment seals, spreads, reads and re-reads through four members in one process.
func BenchmarkAttachment(b *testing.B) {
	for _, size := range []int64{256 << 20, 1 << 30} {
		b.Run(fmt.Sprint(size>>20, "MiB"), func(b *testing.B) {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
			defer cancel()
			w := newWorld()
			_, chartID, _ := ward(b, 1)
			for b.Loop() {
				grown, began := peak(), time.Now()
				at := w.attachment(b, ctx, chartID, size)
				sealed := time.Since(began)
				h := w.blobOf(b, at.Log, at.Entry)
				began = time.Now()
				w.everywhere(b, ctx, h)
				spread := time.Since(began)
				o := w.opened(b, ctx, at)
				began = time.Now()
				if n, err := io.Copy(io.Discard, o.Bytes); err != nil || n != size {
					b.Fatal(n, err)
				}
				read := time.Since(began)
				mbs := func(d time.Duration) float64 { return float64(size) / 1e6 / d.Seconds() }
				b.ReportMetric(mbs(sealed), "seal-MB/s")
				b.ReportMetric(mbs(spread), "spread-MB/s")
				b.ReportMetric(mbs(read), "read-MB/s")
				b.ReportMetric(float64(grown())/(1<<20), "heap-MiB")
				for _, n := range w.Nodes {
					if err := n.Store.Delete(h); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
