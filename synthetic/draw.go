package synthetic

import "fmt"

// draw is a stream of numbers: SplitMix64 (Steele, Lea, Flood 2014). Its own twelve lines, because the bytes must never change.
type draw struct{ state uint64 }

func newDraw(seed, stream uint64) *draw {
	d := &draw{seed}
	d.state = d.next() ^ stream*0xd1342543de82ef95
	return d
}

// fork is a stream of its own for one concern, so that a longer list of names doesn't change anybody's blood pressure.
func (d *draw) fork(label string) *draw {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(label) {
		h = (h ^ uint64(label[i])) * 1099511628211
	}
	return &draw{d.state ^ h}
}

func (d *draw) next() uint64 {
	d.state += 0x9e3779b97f4a7c15
	z := d.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// between is uniform in lo … hi, both included.
func (d *draw) between(lo, hi int) int { return lo + int(d.next()%uint64(hi-lo+1)) }

// around is 0 ± spread, small values more often.
func (d *draw) around(spread int) int {
	return (d.between(-spread, spread) + d.between(-spread, spread)) / 2
}

// uuid is a random UUID of version 4.
func (d *draw) uuid() string {
	a, b := d.next(), d.next()
	a = a&^0xf000 | 0x4000
	b = b&^(3<<62) | 2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&0xffffffffffff)
}

func pick[T any](d *draw, list []T) T { return list[d.between(0, len(list)-1)] }
