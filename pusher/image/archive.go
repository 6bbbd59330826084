package image

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// An archive is the tree of a tar whose files lie in the batch.
type archive struct {
	source string
	files  map[string]stagedFile
	links  map[string]string // symbolic link → what it points at, clean
}

// unpack reads a tar, compressed or not, into the batch.
func (b *batch) unpack(ctx context.Context, r io.Reader, name string) (*archive, error) {
	raw := &counter{r: contextReader{ctx, r}}
	buffered := bufio.NewReaderSize(raw, 64<<10)
	if _, err := buffered.Peek(1); errors.Is(err, io.EOF) {
		return nil, &LoadError{Source: name, Problem: "it is empty", Advice: adviceForms}
	}
	packing := sniff(buffered).name
	plain, err := decompress(buffered)
	if err != nil {
		return nil, explain(err, name, "", "it cannot be unpacked", adviceForms)
	}
	defer func() { _ = plain.Close() }()
	bound := b.store.bound
	u := &unpacker{
		batch: b, name: name, packing: packing,
		left:    &allowance{packed: raw, free: bound.free, ratio: bound.archiveRatio},
		archive: &archive{source: name, files: map[string]stagedFile{}, links: map[string]string{}},
	}
	if err := u.all(ctx, plain); err != nil {
		return nil, err
	}
	return u.archive, nil
}

// explain words an error of reading an archive; fallback and advice are for those
// that have no words of their own.
func explain(err error, source, entry, fallback, advice string) error {
	var known *LoadError
	var packing *packingError
	switch problem, what, ok := broken(err); {
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &packing):
		return &LoadError{Source: source, Entry: entry, Problem: packing.Error(), Advice: packing.advice}
	case errors.Is(err, errBomb):
		return &LoadError{Source: source, Entry: entry, Problem: err.Error(), Advice: "if it is meant to, unpack it first and load the folder"}
	case ok:
		return &LoadError{Source: source, Entry: entry, Problem: problem, Advice: what}
	}
	return &LoadError{Source: source, Entry: entry, Problem: fallback, Advice: advice, Err: err}
}

// An unpacker reads one tar into a batch.
type unpacker struct {
	batch   *batch
	name    string
	left    *allowance
	archive *archive
	packing string // how it is compressed; "" is not at all
	last    string // the entry read last, for errors
	entries int
}

func (u *unpacker) fail(entry, problem, advice string) error {
	return &LoadError{Source: u.name, Entry: entry, Problem: problem, Advice: advice}
}

// all reads every entry, and what follows them, so that a checksum at the end is
// looked at.
func (u *unpacker) all(ctx context.Context, r io.Reader) error {
	t := tar.NewReader(r)
	for {
		header, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && u.entries == 0:
			return u.fail("", "it is an archive without entries", adviceForms)
		case errors.Is(err, io.EOF):
			_, err = copyBuffered(io.Discard, limited{r, u.left})
			if err != nil {
				return explain(err, u.name, "", "its end cannot be read", adviceAgain)
			}
			return nil
		case u.entries == 0 && (errors.Is(err, tar.ErrHeader) || u.short() && errors.Is(err, io.ErrUnexpectedEOF)):
			return u.fail("", "it is not a tar archive", adviceForms)
		case err != nil:
			return explain(err, u.name, u.after(), "it cannot be read", adviceAgain)
		}
		if u.entries++; u.entries > u.batch.store.bound.entries {
			return u.fail("", fmt.Sprintf("it has more than %d entries", u.batch.store.bound.entries), adviceForms)
		}
		if err := u.entry(ctx, header, t); err != nil {
			return err
		}
	}
}

// short tells whether the stream is too short to be a tar.
func (u *unpacker) short() bool { return u.packing == "" && u.left.packed.n < 512 }

// after says where in the archive something went wrong.
func (u *unpacker) after() string {
	if u.last == "" {
		return ""
	}
	return "after " + u.last
}

// entry takes one entry in.
func (u *unpacker) entry(ctx context.Context, h *tar.Header, r io.Reader) error {
	name, err := u.clean(h.Name, h.Name)
	if err != nil {
		return err
	}
	u.last = name
	switch h.Typeflag {
	case tar.TypeDir, tar.TypeXGlobalHeader:
		return nil
	case tar.TypeReg, tar.TypeSymlink, tar.TypeLink, tar.TypeGNUSparse:
	default:
		return u.fail(name, fmt.Sprintf("it is an entry of type %q; an image archive has files, folders and links", h.Typeflag), adviceRebuild)
	}
	if _, twice := u.archive.files[name]; !twice {
		_, twice = u.archive.links[name]
		if !twice {
			return u.add(ctx, name, h, r)
		}
	}
	return u.fail(name, "it is in the archive twice", adviceRebuild)
}

func (u *unpacker) add(ctx context.Context, name string, h *tar.Header, r io.Reader) error {
	switch h.Typeflag {
	case tar.TypeSymlink:
		target := h.Linkname
		if !strings.HasPrefix(target, "/") {
			target = path.Join(path.Dir(name), target)
		}
		target, err := u.clean(target, name+" → "+h.Linkname)
		if err != nil {
			return err
		}
		u.archive.links[name] = target
	case tar.TypeLink:
		target, err := u.clean(h.Linkname, name+" → "+h.Linkname)
		if err != nil {
			return err
		}
		file, ok := u.archive.files[target]
		if !ok {
			return u.fail(name, fmt.Sprintf("it is a link to %s, which the archive has not before it", target), adviceComplete)
		}
		u.archive.files[name] = file
	default:
		in := &noted{r: limited{r, u.left}}
		file, err := u.batch.spool(ctx, in)
		switch {
		case err != nil && in.err == nil:
			return u.batch.store.fail(err)
		case err != nil:
			return explain(err, u.name, name, "it cannot be read", adviceAgain)
		}
		u.archive.files[name] = file
	}
	return nil
}

// clean makes a path clean and refuses one that leaves the archive.
func (u *unpacker) clean(name, shown string) (string, error) {
	cleaned, ok := cleanPath(name)
	if !ok {
		return "", u.fail(shown, "its path leaves the archive", "do not load it: no tool that saves images writes this")
	}
	return cleaned, nil
}

// layerFolders implements tree.
func (a *archive) layerFolders() ([]string, error) {
	var ids []string
	add := func(name string) {
		if id, ok := strings.CutSuffix(name, "/json"); ok && validID(id) {
			ids = append(ids, id)
		}
	}
	for name := range a.files {
		add(name)
	}
	for name := range a.links {
		add(name)
	}
	slices.Sort(ids)
	return ids, nil
}

// fetch implements tree.
func (a *archive) fetch(_ context.Context, name string) (stagedFile, error) {
	start := name
	for range 16 {
		if file, ok := a.files[name]; ok {
			return file, nil
		}
		target, ok := a.links[name]
		if !ok {
			if name != start {
				return stagedFile{}, &LoadError{Source: a.source, Entry: start, Problem: "it is a link to " + name + ", which the archive has not", Advice: adviceComplete}
			}
			return stagedFile{}, fs.ErrNotExist
		}
		name = target
	}
	return stagedFile{}, &LoadError{Source: a.source, Entry: start, Problem: "its links form a cycle", Advice: adviceRebuild}
}
