package engine

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/pusher"
	"github.com/pushcheck/pushcheck/pusher/image"
)

// save answers images/get and images/{name}/get with an archive as docker save of the
// era writes it. A name without a tag saves all of its tags; a platform, since API 1.48,
// the image for it alone.
func (c *call) save() error {
	platform, err := c.platform("1.48")
	if err != nil {
		return err
	}
	wanted := c.r.URL.Query()["names"]
	if c.name != "" {
		wanted = []string{c.name}
	}
	if len(wanted) == 0 {
		return &apiError{http.StatusBadRequest, "bad parameter: names: want at least one image"}
	}
	s := saving{engine: c.engine, platform: platform}
	for _, name := range wanted {
		if err := s.add(name); err != nil {
			return err
		}
	}
	write, err := s.archive()
	if err != nil {
		return err
	}
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.status = http.StatusOK
	if err := write(newTarball(c.w)); err != nil {
		panic(http.ErrAbortHandler) // too late for a status: the archive must not look whole
	}
	return nil
}

// A saving is an archive that is being put together.
type saving struct {
	engine   *Engine
	platform *v1.Platform // nil is none in particular
	images   []*savedImage
}

// A savedImage is one image of an archive, under all of its names that were asked for.
type savedImage struct {
	id      string        // of the top layer
	content digest.Digest // that is saved, where the era saves what is stored; "" otherwise
	names   []imageName
}

// tags are the names as people write them.
func (i *savedImage) tags() []string {
	var list []string
	for _, n := range i.names {
		list = append(list, join(n.repository, n.tag))
	}
	return list
}

func (s *saving) add(name string) error {
	if parsed, err := pusher.ParseName(name); err == nil && !strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		if tags, err := s.engine.config.Images.Tags(parsed.Local); err == nil {
			for _, tag := range slices.Sorted(maps.Keys(tags)) {
				if err := s.name(imageName{tags[tag], parsed.Local, tag}, join(parsed.Local, tag)); err != nil {
					return err
				}
			}
			return nil
		}
	}
	named, err := s.engine.lookup(name)
	if err != nil {
		return err
	}
	return s.name(named, name)
}

// name adds an image under one of its names. shown is what errors call it.
func (s *saving) name(named imageName, shown string) error {
	id, content, err := s.chosen(named, shown)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(s.images, func(i *savedImage) bool { return i.id == id && i.content == content })
	if i < 0 {
		i = len(s.images)
		s.images = append(s.images, &savedImage{id: id, content: content})
	}
	if named.repository != "" && !strings.Contains(named.tag, ":") && !slices.Contains(s.images[i].names, named) {
		s.images[i].names = append(s.images[i].names, named)
	}
	return nil
}

// chosen is what of a name is saved: the layer that leads to it and, for eras that save
// what is stored, the index or manifest; of an index the image for the platform.
//
// Errors: *pusher.PlatformError.
func (s *saving) chosen(named imageName, shown string) (string, digest.Digest, error) {
	images := s.engine.config.Images
	origins, err := images.Origins(named.id)
	if err != nil {
		return "", "", err
	}
	var content digest.Digest
	if s.engine.config.Era.Archive == pusher.ArchiveContent {
		content = contentOf(origins, images.Content(named.repository, named.tag))
	}
	if s.platform == nil {
		return named.id, content, nil
	}
	ids := []string{named.id}
	if content != "" && slices.ContainsFunc(origins, func(o image.Origin) bool { return isIndexOf(o, content) }) {
		if ids, err = images.Layers(); err != nil {
			return "", "", err
		}
	}
	id, found, present := s.ofPlatform(ids, content)
	if id != "" {
		return id, found, nil
	}
	absent := s.engine.config.Era.NewPlatformError(shown, *s.platform, present)
	if content == "" {
		return "", "", absent
	}
	return "", "", fmt.Errorf("no suitable export target found: %w", absent)
}

// ofPlatform finds among images the one for the platform that was asked for: of those of
// an index or a manifest, its manifest too. Without one it is "", and present are the
// platforms of those that there are.
func (s *saving) ofPlatform(ids []string, content digest.Digest) (id string, found digest.Digest, present []string) {
	for _, id := range ids {
		origins, err := s.engine.config.Images.Origins(id)
		if err != nil {
			continue // deleted meanwhile
		}
		for _, o := range origins {
			if o.Artifact || content != "" && !isIndexOf(o, content) && (o.Manifest == nil || o.Manifest.Digest != content) {
				continue
			}
			platform := cmp.Or(o.Platform, "linux/amd64") // which docker takes an image for that says none
			switch {
			case !pusher.PlatformMatches(*s.platform, platform):
				present = append(present, platform)
			case content != "" && o.Manifest != nil:
				return id, o.Manifest.Digest, nil
			default:
				return id, content, nil
			}
		}
	}
	slices.Sort(present)
	return "", "", slices.Compact(present)
}

// contentOf is what a tag stands for, or what an image came with that has no tag; "" for
// one that came with neither index nor manifest.
func contentOf(origins []image.Origin, tagged digest.Digest) digest.Digest {
	if tagged != "" {
		return tagged
	}
	for _, o := range origins {
		switch {
		case o.Manifest != nil:
			return o.Manifest.Digest
		case o.Artifact && o.Index != nil:
			return o.Index.Digest
		}
	}
	return ""
}

// isIndexOf tells whether an image came with that index.
func isIndexOf(o image.Origin, d digest.Digest) bool { return o.Index != nil && o.Index.Digest == d }

// archive prepares the archive in the era's form. What can be found wrong is, before
// anything is written.
func (s *saving) archive() (write func(*tarball) error, err error) {
	switch form := s.engine.config.Era.Archive; form {
	case pusher.ArchiveFolders, pusher.ArchiveManifest:
		return s.folders(form == pusher.ArchiveManifest)
	case pusher.ArchiveLayout, pusher.ArchiveContent:
		return s.layout()
	default:
		return nil, fmt.Errorf("archives of form %d are not known", form)
	}
}

// present looks whether all layers of an image are here.
func (s *saving) present(i *savedImage) error {
	for l, err := range s.engine.config.Images.Chain(i.id) {
		if err != nil {
			return err
		}
		if l.Absent {
			return fmt.Errorf("layer %s lives at %s and is not here, so %s cannot save it; an engine of era containerd saves the image without it",
				l.DiffID, strings.Join(l.Blob.URLs, ", "), s.engine.config.Era.Name)
		}
	}
	return nil
}
