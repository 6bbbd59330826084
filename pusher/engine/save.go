package engine

import (
	"archive/tar"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// save answers images/get and images/{name}/get: the archive that docker save
// wrote in that era, one folder a layer and repositories last. A name without a
// tag saves all of its tags.
func (c *call) save() error {
	wanted := c.r.URL.Query()["names"]
	if c.name != "" {
		wanted = []string{c.name}
	}
	if len(wanted) == 0 {
		return &apiError{http.StatusBadRequest, "bad parameter: names: want at least one image"}
	}
	s := saving{engine: c.engine, repositories: map[string]map[string]string{}}
	for _, name := range wanted {
		if err := s.add(name); err != nil {
			return err
		}
	}
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.status = http.StatusOK
	if err := s.write(c.w); err != nil {
		panic(http.ErrAbortHandler) // too late for a status: the archive must not look whole
	}
	return nil
}

// A saving is an archive that is being put together.
type saving struct {
	engine       *Engine
	tops         []string
	repositories map[string]map[string]string // what goes into the file of that name
}

func (s *saving) add(name string) error {
	if parsed, err := pusher.ParseName(name); err == nil && !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		if tags, err := s.engine.config.Images.Tags(parsed.Local); err == nil {
			for tag, id := range tags {
				s.name(parsed.Local, tag, id)
			}
			return nil
		}
	}
	named, err := s.engine.lookup(name)
	if err != nil {
		return err
	}
	s.name(named.repository, named.tag, named.id)
	return nil
}

func (s *saving) name(repository, tag, id string) {
	if !slices.Contains(s.tops, id) {
		s.tops = append(s.tops, id)
	}
	if repository == "" || strings.Contains(tag, ":") {
		return
	}
	if s.repositories[repository] == nil {
		s.repositories[repository] = map[string]string{}
	}
	s.repositories[repository][tag] = id
}

func (s *saving) write(w io.Writer) error {
	t := tar.NewWriter(w)
	slices.Sort(s.tops)
	done := map[string]bool{}
	for _, top := range s.tops {
		for l, err := range s.engine.config.Images.Chain(top) {
			if err != nil {
				return err
			}
			if done[l.ID] {
				break // and with it all below
			}
			done[l.ID] = true
			if err := s.layer(t, l); err != nil {
				return err
			}
		}
	}
	if len(s.repositories) > 0 {
		names, err := json.Marshal(s.repositories)
		if err != nil {
			return err
		}
		if err := entry(t, "repositories", names); err != nil {
			return err
		}
	}
	return t.Close()
}

func (s *saving) layer(t *tar.Writer, l image.Layer) error {
	head := &tar.Header{Name: l.ID + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: savedAt()}
	if err := t.WriteHeader(head); err != nil {
		return err
	}
	if err := entry(t, l.ID+"/VERSION", []byte("1.0")); err != nil {
		return err
	}
	if err := entry(t, l.ID+"/json", l.V1JSON); err != nil {
		return err
	}
	content, err := s.engine.config.Images.OpenTar(l.ID)
	if err != nil {
		return err
	}
	defer content.Close() //nolint:errcheck // only read
	if err := t.WriteHeader(&tar.Header{Name: l.ID + "/layer.tar", Mode: 0o644, Size: l.Size, ModTime: savedAt()}); err != nil {
		return err
	}
	_, err = io.Copy(t, content)
	return err
}

func entry(t *tar.Writer, name string, content []byte) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: savedAt()}); err != nil {
		return err
	}
	_, err := t.Write(content)
	return err
}

// savedAt is the time of every entry, so that the same images give the same
// archive.
func savedAt() time.Time { return time.Unix(0, 0) }
