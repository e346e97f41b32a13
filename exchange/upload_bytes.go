package exchange

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"vitalog/blobstore"
	"vitalog/chart"
	"vitalog/envelope"
	"vitalog/keyring"
)

const (
	frameSize = 1 << 20 // bytes of an upload that are sealed into a frame, at most
	foldSize  = 8 << 20 // bytes in frames that are moved into the ciphertext
)

// arrivingUpload is an upload that one request works on.
type arrivingUpload struct {
	m      *Member
	s      *uploadState
	offset int64 // bytes that are durable, in the ciphertext or in frames

	tail, blob *blobstore.Growing
	written    int64 // bytes that are in the ciphertext or in frames, some not durable
}

// open finds the frames that are not in the ciphertext yet.
func (u *arrivingUpload) open() (err error) {
	if u.tail, err = u.m.store.Grow(u.s.tail()); err != nil {
		return err
	}
	if u.blob, err = u.m.store.Grow(u.s.blob()); err != nil {
		return errors.Join(err, u.tail.Close())
	}
	u.offset = u.s.Folded
	end, err := u.frames(func(b []byte) error { u.offset += int64(len(b)); return nil })
	u.tail.From(end)
	u.written = u.offset
	if err != nil {
		return errors.Join(err, u.close())
	}
	return nil
}

func (u *arrivingUpload) close() error { return errors.Join(u.tail.Close(), u.blob.Close()) }

// frames gives the bytes of the frames that follow what is in the ciphertext, and says where they end. A frame that doesn't open was cut off by a crash, or is of before: it
// ends them.
func (u *arrivingUpload) frames(f func([]byte) error) (end int64, err error) {
	offset := u.s.Folded
	buf := make([]byte, frameSize+keyring.LocalOverhead)
	for {
		var head [4]byte
		if _, err := u.tail.ReadAt(head[:], end); err == io.EOF {
			return end, nil
		} else if err != nil {
			return end, fmt.Errorf("an upload's frames: %w", err)
		}
		n := int64(binary.BigEndian.Uint32(head[:]))
		if n > int64(len(buf)) {
			return end, nil
		}
		if _, err := u.tail.ReadAt(buf[:n], end+4); err == io.EOF {
			return end, nil
		} else if err != nil {
			return end, fmt.Errorf("an upload's frames: %w", err)
		}
		plain, err := u.m.ring.OpenLocal(u.context(offset), buf[:n])
		if err != nil || len(plain) == 0 || offset+int64(len(plain)) > u.s.Length {
			return end, nil
		}
		if err := f(plain); err != nil {
			return end, err
		}
		clear(plain)
		offset += int64(len(plain))
		end += 4 + n
	}
}

// context is what a frame is sealed for: this upload, and this place in it.
func (u *arrivingUpload) context(offset int64) []byte {
	return binary.BigEndian.AppendUint64([]byte("upload "+u.s.ID+" "), uint64(offset))
}

// take takes what r gives, up to the upload's length. What came before an error is durable when it returns.
func (u *arrivingUpload) take(ctx context.Context, r io.Reader) error {
	r = io.LimitReader(untilDone(ctx, r), u.s.Length-u.written)
	buf := make([]byte, frameSize)
	defer clear(buf)
	var broken error
	for broken == nil && u.written < u.s.Length {
		var n int
		n, broken = io.ReadFull(r, buf)
		if n > 0 {
			if err := u.frame(buf[:n]); err != nil {
				return err
			}
		}
		if u.written-u.s.Folded >= cmp.Or(u.m.uploads.fold, foldSize) {
			if err := u.fold(); err != nil {
				return err
			}
		}
	}
	if u.written == u.s.Length && u.s.Folded < u.s.Length {
		return u.fold()
	}
	if u.s.Folded == u.s.Length {
		return nil
	}
	if err := u.sync(); err != nil {
		return err
	}
	if broken == io.EOF || broken == io.ErrUnexpectedEOF && ctx.Err() == nil {
		return u.m.noteUpload(u.s) // the request had no more: it is to go on with another
	}
	return errors.Join(ErrInterrupted, u.m.noteUpload(u.s))
}

func (u *arrivingUpload) frame(b []byte) error {
	sealed := u.m.ring.SealLocal(u.context(u.written), b)
	if _, err := u.tail.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...)); err != nil {
		return fmt.Errorf("an upload's frames: %w", err)
	}
	u.written += int64(len(b))
	return nil
}

// sync makes the frames durable.
func (u *arrivingUpload) sync() error {
	if err := u.tail.Sync(); err != nil {
		return fmt.Errorf("an upload's frames: %w", err)
	}
	u.offset, u.s.Touched = u.written, nowMillis()
	return nil
}

// fold moves what is in frames into the ciphertext. In this order, so that a crash between any two steps has the same done again:
//
//  1. the frames are durable: a chunk is never made of other bytes the next time;
//  2. the chunks are, behind those that were noted;
//  3. the note is; the frames before it don't count any more.
//
// With the last byte the manifest and the padding follow.
func (u *arrivingUpload) fold() error {
	if err := u.sync(); err != nil {
		return err
	}
	next := *u.s
	sums, err := chart.ResumeSumming(next.Sums)
	if err != nil {
		return err
	}
	sealing, err := envelope.ResumeSealing(u.blob, next.Sealing)
	if err != nil {
		return err
	}
	defer sealing.Release()
	u.blob.From(sealing.Blob())
	if _, err = u.frames(func(b []byte) error {
		next.Folded += int64(len(b))
		_, err := io.MultiWriter(sums, sealing).Write(b)
		return err
	}); err != nil {
		return err
	}
	if next.Folded != u.written {
		return fmt.Errorf("an upload's frames: %d bytes are there, %d were written", next.Folded-u.s.Folded, u.written-u.s.Folded)
	}
	if next.Folded == next.Length {
		if err := u.complete(sums, sealing); err != nil {
			return err
		}
	}
	if err := u.blob.Sync(); err != nil {
		return fmt.Errorf("an upload's ciphertext: %w", err)
	}
	if next.Sealing, err = sealing.State(); err != nil {
		return err
	}
	if next.Sums, err = sums.State(); err != nil {
		return err
	}
	if err := u.m.noteUpload(&next); err != nil {
		return err
	}
	*u.s = next
	u.tail.From(0)
	return nil
}

// complete writes what follows the bytes. It is the same each time: the signature too.
func (u *arrivingUpload) complete(sums *chart.Summing, sealing *envelope.Sealing) error {
	item, err := u.s.Attached.item(u.s.Chart)
	if err != nil {
		return err
	}
	c := sealing.Context()
	_, tail, err := sums.Tail(chart.Content{Author: u.s.author(u.m), Created: c.Created, Items: []chart.Item{item}}, u.m.ring.Member(), c.Record())
	if err != nil {
		return err
	}
	if _, err := io.Copy(sealing, tail); err != nil {
		return err
	}
	_, _, err = sealing.Finish()
	return err
}
