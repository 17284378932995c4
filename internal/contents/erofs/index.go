package erofs

import "encoding/binary"

// indexes say of each logical cluster (4 KiB of a file) whether an extent begins in it, where, and in which block its
// data is. They stand in packs of 8 bytes with two of 16 bits, and of 32 bytes with sixteen of 14 bits; the number of
// a pack's first block is at its end.
type indexes struct {
	b     []byte // the packs
	count int    // of clusters
	lead  int    // those before the short ones, so that these begin at a multiple of 32 bytes
	short int
	big   bool
}

// index is that of one cluster.
type index struct {
	kind   int
	offset int    // of the extent's beginning in the cluster
	block  uint32 // of a head
	count  int    // blocks of the extent in which the cluster is; 0: it does not say
}

// indexes reads those of a file of this size, which begin at pos.
func (f *FS) indexes(pos, size int64, advise uint16) (x indexes, err error) {
	if size > maxFile || size > f.size*256 { // LZ4 makes no more of what is there
		return x, damaged("a file of %d bytes", size)
	}
	x.count, x.big = int((size+blockSize-1)>>blockBits), advise&adviseBig != 0
	x.lead = int(32-pos%32) / 4 % 8
	if advise&adviseShort != 0 && x.lead < x.count {
		x.short = (x.count - x.lead) &^ 15
	} else {
		x.lead = 0 // the whole is in packs of two
	}
	rest := x.count - x.lead - x.short
	if rest < 0 {
		return x, damaged("%d clusters", x.count)
	}
	n := x.lead*4 + x.short*2 + (rest+1)&^1*4
	x.b, err = f.at(pos, n)
	return x, err
}

// pack is the one in which the index of a cluster is.
type pack struct {
	b   []byte
	big bool
	n   int // indexes in it
}

// find returns the pack of a cluster, and which of its indexes it is.
func (x indexes) find(lcn int) (p pack, i int) {
	at := lcn - x.lead
	switch {
	case at < 0:
		p, i = pack{n: 2, b: x.b[lcn/2*8:]}, lcn%2
	case at < x.short:
		p, i = pack{n: 16, b: x.b[x.lead*4+at/16*32:]}, at%16
	default:
		at -= x.short
		p, i = pack{n: 2, b: x.b[x.lead*4+x.short*2+at/2*8:]}, at%2
	}
	p.b, p.big = p.b[:map[int]int{2: 8, 16: 32}[p.n]], x.big
	return p, i
}

// entry is the ith index as it stands in the pack.
func (p pack) entry(i int) (low, kind int) {
	bits := (len(p.b) - 4) * 8 / p.n
	v := binary.LittleEndian.Uint32(p.b[i*bits/8:]) >> (i * bits % 8)
	return int(v & (blockSize - 1)), int(v >> blockBits & 3)
}

// at reads the index of a cluster.
func (x indexes) at(lcn int) (index, error) {
	p, i := x.find(lcn)
	low, kind := p.entry(i)
	if kind == inside {
		if low&isCount != 0 {
			return index{kind: kind, count: low &^ isCount}, nil
		}
		return index{kind: kind}, nil
	}
	before, err := p.blocksBefore(i)
	return index{kind: kind, offset: low, block: binary.LittleEndian.Uint32(p.b[len(p.b)-4:]) + before}, err
}

// blocksBefore counts the blocks of a pack's extents that begin before its ith index. An index that is inside says how
// far back its extent begins.
func (p pack) blocksBefore(i int) (n uint32, err error) {
	if !p.big {
		n = 1
	}
	for i--; i >= 0; i-- {
		low, kind := p.entry(i)
		switch {
		case kind != inside:
			n++
		case !p.big:
			i -= low
			if i >= 0 {
				n++
			}
		case low&isCount != 0: // it is the second of its extent
			n += uint32(low &^ isCount)
			i--
		case low <= 1:
			return 0, damaged("an index that leads %d back", low)
		default:
			i -= low - 2 // the next one is the second of its extent, which has the count
		}
	}
	return n, nil
}
