package image

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/pushcheck/pushcheck/internal/gzips"
)

// The families of media types that a made-up image may have.
const (
	MediaDocker = "docker"
	MediaOCI    = "oci"
)

// A Stored says how a made-up image is kept as registries have it, byte for byte.
type Stored struct {
	Media string // MediaDocker or MediaOCI
	// Platforms are what the image is for, "linux/amd64"; more than none makes an
	// index, or a manifest list of MediaDocker. The first has the layers that the
	// recipe alone would give.
	Platforms []string
	Missing   []string // those of Platforms whose manifests are named but not there
	// Foreign are the indices of layers, bottom 0, that live at a URL of their own;
	// their bytes are there as well.
	Foreign []int
	// Annotations are those of every manifest and of the index; MediaOCI only.
	Annotations map[string]string
	// Subject is the name of the made-up manifest that the image refers to, as
	// Subject gives it; "" is none. MediaOCI only.
	Subject string
}

// Subject is the made-up manifest of a name that an image can refer to, and its
// bytes. It has no layers.
func Subject(name string) (Descriptor, []byte) {
	empty := v1.DescriptorEmptyJSON
	empty.Data = nil
	data, _ := json.Marshal(v1.Manifest{ // nothing in it can go wrong
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		ArtifactType: "application/vnd.pushcheck.subject", Config: empty,
		Layers: []v1.Descriptor{empty}, Annotations: map[string]string{v1.AnnotationTitle: name},
	})
	return Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: digest.FromBytes(data), Size: int64(len(data))}, data
}

// MakeStored makes an image up as Make does, and keeps it as it would have come out
// of an OCI layout: layers compressed, with manifests, and an index where it is for
// several platforms: one Loaded for each that is there. It takes as much room as the
// layers have.
func (s *Store) MakeStored(ctx context.Context, r Recipe, as Stored) ([]Loaded, error) {
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("made-up image: %w", err)
	}
	b, err := s.begin()
	if err != nil {
		return nil, err
	}
	defer b.discard()
	m := &madeLayout{batch: b, recipe: r, as: as, files: map[string]stagedFile{}}
	if err := m.build(ctx); err != nil {
		return nil, fmt.Errorf("made-up image: %w", err)
	}
	return s.loadTree(ctx, &source{name: "made-up image", batch: b, tree: m})
}

// A madeLayout is an OCI layout that is made up. It implements tree.
type madeLayout struct {
	batch  *batch
	recipe Recipe
	as     Stored
	files  map[string]stagedFile
}

// layerFolders implements tree.
func (m *madeLayout) layerFolders() ([]string, error) { return nil, nil }

// fetch implements tree.
func (m *madeLayout) fetch(_ context.Context, name string) (stagedFile, error) {
	file, ok := m.files[name]
	if !ok {
		return stagedFile{}, fs.ErrNotExist
	}
	return file, nil
}

// build writes all files of the layout.
func (m *madeLayout) build(ctx context.Context) error {
	platforms := m.as.Platforms
	if len(platforms) == 0 {
		platforms = []string{wantedPlatform}
	}
	var manifests []v1.Descriptor
	for i, p := range platforms {
		d, err := m.manifest(ctx, i, p)
		if err != nil {
			return err
		}
		if len(m.as.Platforms) > 0 {
			d.Platform = parsePlatform(p)
		}
		if slices.Contains(m.as.Missing, p) {
			delete(m.files, blobName(d.Digest))
		}
		manifests = append(manifests, d)
	}
	top := manifests[0]
	if len(m.as.Platforms) > 0 {
		var err error
		if top, err = m.add(ctx, m.media(mediaDockerIndex, mediaOCIIndex), m.index(manifests)); err != nil {
			return err
		}
	}
	root, err := json.Marshal(v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: mediaOCIIndex, Manifests: []v1.Descriptor{top}})
	if err != nil {
		return err
	}
	m.files[v1.ImageIndexFile], err = m.batch.keep(ctx, root)
	return err
}

func (m *madeLayout) index(manifests []v1.Descriptor) v1.Index {
	return v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: m.media(mediaDockerIndex, mediaOCIIndex),
		Manifests: manifests, Annotations: m.as.Annotations,
	}
}

// media is the media type of the family that the image is of.
func (m *madeLayout) media(docker, oci string) string {
	if m.as.Media == MediaOCI {
		return oci
	}
	return docker
}

// manifest makes what one platform needs. n is its place among them.
func (m *madeLayout) manifest(ctx context.Context, n int, platform string) (v1.Descriptor, error) {
	var parts []part
	var layers []v1.Descriptor
	for i := range m.recipe.Layers {
		p, d, err := m.layer(ctx, m.recipe.content(i, i+n*len(m.recipe.Layers), parts))
		if err != nil {
			return v1.Descriptor{}, err
		}
		if slices.Contains(m.as.Foreign, i) {
			d.MediaType = m.media(mediaDockerForeign, mediaOCIForeign)
			d.URLs = []string{fmt.Sprintf("https://layers.example/%s/layer%d", platform, i+1)}
		}
		parts, layers = append(parts, p), append(layers, d)
	}
	config, err := m.recipe.config(parts)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if config, err = forPlatform(config, platform); err != nil {
		return v1.Descriptor{}, err
	}
	cd, err := m.keep(ctx, m.media(mediaDockerConfig, mediaOCIConfig), config)
	if err != nil {
		return v1.Descriptor{}, err
	}
	doc := v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: m.media(mediaDockerManifest, mediaOCIManifest),
		Config: cd, Layers: layers, Annotations: m.as.Annotations,
	}
	if m.as.Subject != "" {
		s, _ := Subject(m.as.Subject)
		doc.Subject = &v1.Descriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size}
	}
	return m.add(ctx, doc.MediaType, doc)
}

// forPlatform is a config for another platform than the usual.
func forPlatform(config []byte, platform string) ([]byte, error) {
	if platform == wantedPlatform {
		return config, nil
	}
	var c imageConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	p := parsePlatform(platform)
	c.OS, c.Architecture, c.Variant = p.OS, p.Architecture, p.Variant
	return json.Marshal(c)
}

// parsePlatform reads "linux/arm64/v8".
func parsePlatform(s string) *v1.Platform {
	parts := append(strings.SplitN(s, "/", 3), "", "")
	return &v1.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
}

// layer makes one layer and its compressed form.
func (m *madeLayout) layer(ctx context.Context, c content) (part, v1.Descriptor, error) {
	plain := digest.SHA256.Digester()
	in, out := io.Pipe()
	go func() {
		z := gzips.Writer(out)
		defer gzips.Return(z)
		_, err := io.Copy(io.MultiWriter(z, plain.Hash()), contextReader{ctx, c.tar()})
		if err == nil {
			err = z.Close()
		}
		_ = out.CloseWithError(err)
	}()
	file, err := m.batch.spool(ctx, in)
	_ = in.Close()
	if err != nil {
		return part{}, v1.Descriptor{}, err
	}
	media := mediaDockerLayer
	if m.as.Media == MediaOCI {
		media = mediaOCILayer + "+gzip"
	}
	m.files[blobName(file.digest)] = file
	return part{diffID: plain.Digest(), made: &c}, v1.Descriptor{MediaType: media, Digest: file.digest, Size: file.size}, nil
}

// add keeps a JSON document.
func (m *madeLayout) add(ctx context.Context, mediaType string, doc any) (v1.Descriptor, error) {
	data, err := json.Marshal(doc)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return m.keep(ctx, mediaType, data)
}

func (m *madeLayout) keep(ctx context.Context, mediaType string, data []byte) (v1.Descriptor, error) {
	file, err := m.batch.keep(ctx, data)
	m.files[blobName(file.digest)] = file
	return v1.Descriptor{MediaType: mediaType, Digest: file.digest, Size: file.size}, err
}
