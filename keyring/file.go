package keyring

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/crypto/argon2"

	"vitalog/wire"
)

const (
	magic       = "vitalog keyring\n"
	fileVersion = 1
	maxFile     = 8 << 20 // bytes

	passes  = 3
	memory  = 64 << 10 // KiB
	lanes   = 4
	maxCost = 1 << 20 // KiB, and 16 passes: a file that asks for more is not ours
)

// lock seals the file. The passphrase is stretched once, when the ring is opened.
type lock struct {
	_      [0]func()
	header []byte // magic, version, Argon2id parameters, salt
	aead   cipher.AEAD
}

func newLock(magic string, passphrase []byte) (*lock, error) {
	if len(passphrase) == 0 {
		return nil, errors.New("a keyring needs a passphrase")
	}
	var w wire.Writer
	w.Fixed([]byte(magic))
	w.U8(fileVersion)
	w.U32(passes)
	w.U32(memory)
	w.U8(lanes)
	salt := make([]byte, 16)
	rand.Read(salt)
	w.Fixed(salt)
	return &lock{header: w.Done(), aead: stretch(passphrase, salt, passes, memory, lanes)}, nil
}

func stretch(passphrase, salt []byte, passes, memory uint32, lanes uint8) cipher.AEAD {
	k := argon2.IDKey(passphrase, salt, passes, memory, lanes, 32)
	defer clear(k)
	return newGCM(k)
}

func newGCM(k []byte) cipher.AEAD {
	block, err := aes.NewCipher(k)
	if err != nil {
		panic("keyring: " + err.Error()) // 32 bytes are always a key
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("keyring: " + err.Error()) // AES always has the block size of GCM
	}
	return aead
}

// seal makes the file.
func (l *lock) seal(plain []byte) []byte {
	nonce := make([]byte, l.aead.NonceSize())
	rand.Read(nonce)
	out := append(append([]byte{}, l.header...), nonce...)
	out = l.aead.Seal(out, nonce, plain, l.header)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

// unlock tells damage from a wrong passphrase by the checksum at the end, which needs no key.
func unlock(magic string, file, passphrase []byte) (*lock, []byte, error) {
	r := wire.NewReader(file)
	if string(r.Take(len(magic))) != magic {
		return nil, nil, fmt.Errorf("%w: it does not begin as one", ErrDamaged)
	}
	if v := r.U8(); r.Err() == nil && v != fileVersion {
		return nil, nil, fmt.Errorf("format version %d, this program reads %d: use a newer program", v, fileVersion)
	}
	t, m, p := r.U32(), r.U32(), r.U8()
	salt := r.Take(16)
	header := file[:min(len(file), len(magic)+1+9+16)]
	nonce := r.Take(12)
	sealed := r.Take(len(file) - len(header) - 12 - sha256.Size)
	var sum [sha256.Size]byte
	r.Fixed(sum[:])
	if err := r.End(); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if sum != sha256.Sum256(file[:len(file)-sha256.Size]) {
		return nil, nil, fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	if t == 0 || t > 16 || m < 8*uint32(p) || m > maxCost || p == 0 {
		return nil, nil, fmt.Errorf("%w: Argon2id with %d passes, %d KiB, %d lanes", ErrDamaged, t, m, p)
	}
	l := &lock{header: append([]byte{}, header...), aead: stretch(passphrase, salt, t, m, p)}
	plain, err := l.aead.Open(nil, nonce, sealed, header)
	if err != nil {
		return nil, nil, ErrLocked
	}
	return l, plain, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%w: %d bytes", ErrDamaged, st.Size())
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others may read it (mode %v): make it 0600", st.Mode().Perm())
	}
	return os.ReadFile(path)
}

// writeNew makes the file, or fails with ErrExists.
func writeNew(path string, b []byte) error {
	tmp, err := writeTemp(path, b)
	if err != nil {
		return err
	}
	defer os.Remove(tmp)
	// A crash before the link leaves no ring, after it the whole one.
	if err := os.Link(tmp, path); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	return syncDir(path)
}

// replace puts b in the place of the file.
func replace(path string, b []byte) error {
	if len(b) > maxFile {
		return fmt.Errorf("a keyring of %d bytes, at most %d", len(b), maxFile)
	}
	tmp, err := writeTemp(path, b)
	if err != nil {
		return err
	}
	// A crash before the rename leaves the old ring and a file beside it, after it the new ring.
	if err := os.Rename(tmp, path); err != nil {
		os.Remove(tmp)
		return err
	}
	return syncDir(path)
}

// writeTemp leaves b, durable, in a file of mode 0600 beside path. What a crash left there before is overwritten.
func writeTemp(path string, b []byte) (name string, err error) {
	name = path + ".new"
	f, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
		if err != nil {
			os.Remove(name)
		}
	}()
	if err := f.Chmod(0o600); err != nil { // of a file that was there
		return "", err
	}
	if _, err := f.Write(b); err != nil {
		return "", err
	}
	return name, f.Sync()
}

func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
