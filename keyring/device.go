package keyring

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"vitalog/key"
	"vitalog/section"
	"vitalog/wire"
)

// The file of a device begins otherwise than a keyring (spec/device.md).
const (
	deviceMagic   = "vitalog device\n"
	maxDeviceName = 64
	maxHome       = 256

	// Attempts is how many records' ids the same readings have.
	Attempts = 8
)

// Device is what a patient's device carries: a key that writes into one log, and nothing that opens anything. It is safe for concurrent
// use.
type Device struct {
	_       [0]func()
	network key.Network
	name    string
	section section.Section
	log     key.Log
	seed    [32]byte
	signer  *key.Signing
	owner   *key.Exchange // nil: the log has no owner lock
	home    string
	member  int
}

// CreateDevice makes the file of a device of the patient's at path, which must not exist, and returns the key that is to be granted. Records
// get an owner lock unless the patient is in custody. It wipes the passphrase.
func (p *Patient) CreateDevice(path string, passphrase []byte, name string, s section.Section, custodial bool, home string, member int) (key.Verifier, error) {
	defer clear(passphrase)
	if err := CheckDeviceName(name); err != nil {
		return key.Verifier{}, err
	}
	d := &Device{network: p.network, name: name, section: s, log: p.Log(s), seed: p.deviceSeed(s, name), home: home, member: member}
	if !custodial {
		d.owner = p.section(s).private.Exchange()
	}
	l, err := newLock(deviceMagic, passphrase)
	if err != nil {
		return key.Verifier{}, fmt.Errorf("device file %s: %w", path, err)
	}
	plain := d.encode()
	defer clear(plain)
	if _, err := decodeDevice(plain); err != nil {
		return key.Verifier{}, fmt.Errorf("device file %s: %w", path, err)
	}
	if err := writeNew(path, l.seal(plain)); err != nil {
		return key.Verifier{}, fmt.Errorf("device file %s: %w", path, err)
	}
	return key.NewSigning(d.seed).Public(), nil
}

// OpenDevice opens the file of a device. It wipes the passphrase.
func OpenDevice(path string, passphrase []byte) (*Device, error) {
	defer clear(passphrase)
	file, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("device file %s: %w", path, err)
	}
	_, plain, err := unlock(deviceMagic, file, passphrase)
	if err != nil {
		return nil, fmt.Errorf("device file %s: %w", path, err)
	}
	defer clear(plain)
	d, err := decodeDevice(plain)
	if err != nil {
		return nil, fmt.Errorf("device file %s: %w: %w", path, ErrDamaged, err)
	}
	return d, nil
}

// CheckDeviceName refuses what can't be a device's name.
func CheckDeviceName(name string) error {
	if len(name) == 0 || len(name) > maxDeviceName || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("a device's name has 1 to %d bytes and no control characters", maxDeviceName)
	}
	return nil
}

func (d *Device) encode() []byte {
	var w wire.Writer
	w.Fixed(d.network[:])
	w.Bytes([]byte(d.name))
	w.U8(uint8(d.section))
	w.Fixed(d.log[:])
	w.Fixed(d.seed[:])
	if d.owner == nil {
		w.U8(0)
	} else {
		w.U8(1)
		w.Bytes(d.owner[:])
	}
	w.Bytes([]byte(d.home))
	w.U16(uint16(d.member))
	return w.Done()
}

func decodeDevice(b []byte) (*Device, error) {
	r, d := wire.NewReader(b), &Device{}
	r.Fixed(d.network[:])
	d.name = string(r.Bytes(maxDeviceName))
	d.section = section.Section(r.U8())
	r.Fixed(d.log[:])
	r.Fixed(d.seed[:])
	owned := r.U8()
	if owned == 1 {
		raw := r.Bytes(len(key.Exchange{}))
		if r.Err() == nil {
			owner, err := key.ParseExchange(raw)
			if err != nil {
				return nil, err
			}
			d.owner = owner
		}
	}
	d.home = string(r.Bytes(maxHome))
	d.member = int(r.U16())
	if err := r.End(); err != nil {
		return nil, err
	}
	if owned > 1 || !slices.Contains(section.All(), d.section) {
		return nil, fmt.Errorf("owner lock %d, section %d: %w", owned, d.section, wire.ErrNonCanonical)
	}
	if err := CheckDeviceName(d.name); err != nil {
		return nil, err
	}
	d.signer = key.NewSigning(d.seed)
	return d, nil
}

// Network is the network that the device writes to.
func (d *Device) Network() key.Network { return d.network }

// Name is what the patient calls the device.
func (d *Device) Name() string { return d.name }

// Section is the section of the patient's chart that the device writes into.
func (d *Device) Section() section.Section { return d.section }

// Log is the section's log.
func (d *Device) Log() key.Log { return d.log }

// Signer is the device's grantee key.
func (d *Device) Signer() key.Signer { return d.signer }

// Owner is the key of the owner lock; nil if the log has none.
func (d *Device) Owner() *key.Exchange { return d.owner }

// Home is the address of the home member, and its number.
func (d *Device) Home() (address string, member int) { return d.home, d.member }

// ReadingID is the logical id of a reading: the same whenever it is pushed. It tells nothing without the device's key.
func (d *Device) ReadingID(raw []byte) string {
	b := key.Derive(d.seed[:], "vitalog/v1/device/reading", raw)
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// RecordSalt makes the id of the record that holds the readings of a day, whose ids ascend. attempt is less than Attempts.
func (d *Device) RecordSalt(day string, attempt int, ids []string) [16]byte {
	salt := key.Derive(d.seed[:], "vitalog/v1/device/record", append(append([]byte(day), byte(attempt)), strings.Join(ids, "")...))
	return [16]byte(salt[:16])
}

// LogValue keeps the key out of logs.
func (*Device) LogValue() slog.Value { return slog.StringValue("(device)") }

// String keeps the key out of formatted text.
func (*Device) String() string { return "(device)" }

// GoString keeps the key out of %#v.
func (d *Device) GoString() string { return d.String() }
