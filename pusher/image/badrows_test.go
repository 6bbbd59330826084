package image_test

import (
	"archive/tar"
	"maps"
	"strings"
	"testing"
)

// A badArchive is an archive that is refused, with the text that says so. TOP,
// BASE and LOST stand for the layers' IDs, DIGEST(x) for the digest of x.
type badArchive struct {
	name, archive, want string
}

// badStreams are no tars, or damaged ones.
func badStreams(t *testing.T) []badArchive {
	old := oldForm(t)
	return []badArchive{
		{
			"nothing", "",
			"archive: it is empty; give a docker save archive, or an OCI layout as a folder or a tar",
		},
		{
			"not a tar", strings.Repeat("this is not a tar. ", 100),
			"archive: it is not a tar archive; give a docker save archive, or an OCI layout as a folder or a tar",
		},
		{
			"a few words", "hello",
			"archive: it is not a tar archive; give a docker save archive, or an OCI layout as a folder or a tar",
		},
		{
			"a tar without entries", tarOf(t),
			"archive: it is an archive without entries; give a docker save archive, or an OCI layout as a folder or a tar",
		},
		{
			"zeros", strings.Repeat("\x00", 4096),
			"archive: it is an archive without entries; give a docker save archive, or an OCI layout as a folder or a tar",
		},
		{
			"gzip of nothing", gzipped(t, ""),
			"archive: it is an archive without entries; give a docker save archive, or an OCI layout as a folder or a tar",
		},
		{
			"a gzip header and no more", "\x1f\x8b\x08\x00",
			"archive: it is cut off; copy or save it again",
		},
		{
			"damaged gzip", flip(gzipped(t, old.tar(t)), -8),
			"archive: its gzip stream is damaged; copy or save it again",
		},
		{
			"damaged zstd", flip(zstded(t, old.tar(t)), -1),
			"archive: its zstd stream is damaged; copy or save it again",
		},
		{
			"cut off gzip", gzipped(t, old.tar(t))[:400],
			"archive: it is cut off; copy or save it again",
		},
		{
			"xz", "\xfd7zXZ\x00 and so on",
			"archive: it is compressed with xz; unpack it with xz -d first",
		},
		{
			"cut off in an entry", old.tar(t)[:3000],
			"archive: TOP/layer.tar: it is cut off; copy or save it again",
		},
		{
			"cut off in a header", old.tar(t)[:1700],
			"archive: TOP/json: it is cut off; copy or save it again",
		},
		{
			"damaged between entries", flip(old.tar(t), 2048),
			"archive: after TOP/json: it is damaged: there is no tar header where one has to be; copy or save it again",
		},
		{
			"no image", tarOf(t, entry{name: "hello.txt", body: "hello"}),
			"archive: it holds no image: there is neither manifest.json nor index.json nor a folder of a layer; give a docker save archive, or an OCI layout as a folder or a tar",
		},
	}
}

// badEntries have entries that lead elsewhere, or too much of them.
func badEntries(t *testing.T) []badArchive {
	old := oldForm(t)
	sparse := testdata(t, "sparse.tar") // GNU tar wrote it, of a file that is one hole
	link := func(typ byte, name, target string) string {
		return tarOf(t, append(old.without(name).entries(), entry{name: name, typ: typ, link: target})...)
	}
	return []badArchive{
		{
			"path with ..", tarOf(t, entry{name: "../etc/passwd", body: "x"}),
			"archive: ../etc/passwd: its path leaves the archive; do not load it: no tool that saves images writes this",
		},
		{
			"path with .. inside", tarOf(t, entry{name: "a/../../b", body: "x"}),
			"archive: a/../../b: its path leaves the archive; do not load it: no tool that saves images writes this",
		},
		{
			"absolute path", tarOf(t, entry{name: "/etc/passwd", body: "x"}),
			"archive: /etc/passwd: its path leaves the archive; do not load it: no tool that saves images writes this",
		},
		{
			"path with backslashes", tarOf(t, entry{name: `..\etc\passwd`, body: "x"}),
			`archive: ..\etc\passwd: its path leaves the archive; do not load it: no tool that saves images writes this`,
		},
		{
			"symlink that leaves", link(tar.TypeSymlink, topID+"/layer.tar", "../../../etc/passwd"),
			"archive: TOP/layer.tar → ../../../etc/passwd: its path leaves the archive; do not load it: no tool that saves images writes this",
		},
		{
			"absolute symlink", link(tar.TypeSymlink, topID+"/layer.tar", "/etc/passwd"),
			"archive: TOP/layer.tar → /etc/passwd: its path leaves the archive; do not load it: no tool that saves images writes this",
		},
		{
			"hard link that leaves", link(tar.TypeLink, topID+"/layer.tar", "../etc/passwd"),
			"archive: TOP/layer.tar → ../etc/passwd: its path leaves the archive; do not load it: no tool that saves images writes this",
		},
		{
			"hard link to nowhere", link(tar.TypeLink, topID+"/layer.tar", "nowhere"),
			"archive: TOP/layer.tar: it is a link to nowhere, which the archive has not before it; save the image again with everything it needs",
		},
		{
			"symlink to nowhere", link(tar.TypeSymlink, topID+"/layer.tar", "../nowhere"),
			"archive: TOP/layer.tar: it is a link to nowhere, which the archive has not; save the image again with everything it needs",
		},
		{
			"symlink to itself", link(tar.TypeSymlink, topID+"/layer.tar", "layer.tar"),
			"archive: TOP/layer.tar: its links form a cycle; the tool that wrote it has to write it anew",
		},
		{
			"a device", tarOf(t, entry{name: "dev", typ: tar.TypeChar}),
			"archive: dev: it is an entry of type '3'; an image archive has files, folders and links; the tool that wrote it has to write it anew",
		},
		{
			"an entry twice", tarOf(t, append(old.entries(), entry{name: "./repositories", body: "{}"})...),
			"archive: repositories: it is in the archive twice; the tool that wrote it has to write it anew",
		},
		{
			"an archive that unpacks to too much", gzipped(t, tarOf(t, entry{name: "layer.tar", body: strings.Repeat("\x00", 4<<20)})),
			"archive: layer.tar: it unpacks to too much: more than 100 times what was read of it; if it is meant to, unpack it first and load the folder",
		},
		{
			"a sparse entry of a tebibyte", sparse,
			"archive: big: it unpacks to too much: more than 100 times what was read of it; if it is meant to, unpack it first and load the folder",
		},
		{
			"too many entries", tarOf(t, manyEntries(101)...),
			"archive: it has more than 100 entries; give a docker save archive, or an OCI layout as a folder or a tar",
		},
	}
}

// badOldSaves are archives of docker before 1.10.
func badOldSaves(t *testing.T) []badArchive {
	old := oldForm(t)
	longJSON := `{"id":"` + topID + `","comment":"` + strings.Repeat("x", 5000) + `"}`
	return []badArchive{
		{
			"parent nowhere", old.with(files{topID + "/json": jsonOf(t, obj{"id": topID, "parent": lostID})}).tar(t),
			"archive: TOP/json: its parent LOST is neither in the archive nor in the store; save the image again with everything it needs",
		},
		{
			"parent that is no ID", old.with(files{topID + "/json": jsonOf(t, obj{"id": topID, "parent": "../base"})}).tar(t),
			`archive: TOP/json: its parent is "../base"; an ID has 64 hex digits; the tool that wrote it has to write it anew`,
		},
		{
			"own parent", old.with(files{topID + "/json": jsonOf(t, obj{"id": topID, "parent": topID})}).tar(t),
			"archive: TOP/json: its parent TOP is also its descendant; the tool that wrote it has to write it anew",
		},
		{
			"cyclic parents", old.with(files{baseID + "/json": jsonOf(t, obj{"id": baseID, "parent": topID})}).tar(t),
			"archive: BASE/json: its parent TOP is also its descendant; the tool that wrote it has to write it anew",
		},
		{
			"id of another", old.with(files{topID + "/json": jsonOf(t, obj{"id": baseID})}).tar(t),
			`archive: TOP/json: its id is "BASE", not that of its folder; the tool that wrote it has to write it anew`,
		},
		{
			"no id", old.with(files{topID + "/json": "{}"}).tar(t),
			`archive: TOP/json: its id is "", not that of its folder; the tool that wrote it has to write it anew`,
		},
		{
			"JSON cut off", old.with(files{topID + "/json": `{"id":"a`}).tar(t),
			"archive: TOP/json: its JSON is cut off; copy or save it again",
		},
		{
			"JSON empty", old.with(files{topID + "/json": ""}).tar(t),
			"archive: TOP/json: its JSON is cut off; copy or save it again",
		},
		{
			"JSON of another type", old.with(files{topID + "/json": `{"id":1}`}).tar(t),
			"archive: TOP/json: it is not the JSON that belongs there: id is of type number; the tool that wrote it has to write it anew",
		},
		{
			"no JSON", old.with(files{topID + "/json": `hello`}).tar(t),
			"archive: TOP/json: it is not JSON: invalid character 'h' looking for beginning of value; the tool that wrote it has to write it anew",
		},
		{
			"JSON and more", old.with(files{topID + "/json": jsonOf(t, obj{"id": topID}) + "{}"}).tar(t),
			"archive: TOP/json: something follows its JSON; the tool that wrote it has to write it anew",
		},
		{
			"over-long JSON", old.with(files{topID + "/json": longJSON}).tar(t),
			"archive: TOP/json: it has 5086 bytes; a JSON document here has at most 4096; the tool that wrote it has to write it anew",
		},
		{
			"no layer.tar", old.without(topID + "/layer.tar").tar(t),
			"archive: TOP/layer.tar: it is missing, and TOP/json is there; save the image again with everything it needs",
		},
		{
			"layer that is no tar", old.with(files{topID + "/layer.tar": strings.Repeat("x", 1024)}).tar(t),
			"archive: TOP/layer.tar: the layer is not a tar; copy or save it again",
		},
		{
			"layer that is cut off", old.with(files{baseID + "/layer.tar": baseTar(t)[:1500]}).tar(t),
			"archive: BASE/layer.tar: it is cut off; copy or save it again",
		},
		{
			"layer of damaged gzip", old.with(files{topID + "/layer.tar": flip(gzipped(t, topTar(t)), -8)}).tar(t),
			"archive: TOP/layer.tar: its gzip stream is damaged; copy or save it again",
		},
		{
			"layer that unpacks to too much", old.with(files{topID + "/layer.tar": gzipped(t, strings.Repeat("\x00", 4<<20))}).tar(t),
			"archive: TOP/layer.tar: it unpacks to too much: more than 100 times what was read of it; if it is meant to, save the image with plain layers",
		},
		{
			"layer of bzip2", old.with(files{topID + "/layer.tar": "BZh9 and so on"}).tar(t),
			"archive: TOP/layer.tar: it is compressed with bzip2; a layer is plain or compressed with gzip or zstd; the tool that wrote it has to write it anew",
		},
		{
			"tag to nowhere", old.with(files{"repositories": jsonOf(t, obj{"lib/app": obj{"latest": lostID}})}).tar(t),
			`archive: repositories: lib/app:latest is a tag to "LOST", which is neither in the archive nor in the store; save the image again with everything it needs`,
		},
		{
			"tag to no ID", old.with(files{"repositories": jsonOf(t, obj{"lib/app": obj{"latest": "../x"}})}).tar(t),
			`archive: repositories: lib/app:latest is a tag to "../x", which is neither in the archive nor in the store; save the image again with everything it needs`,
		},
		{
			"a name that is none", old.with(files{"repositories": jsonOf(t, obj{"Lib/App": obj{"latest": topID}})}).tar(t),
			`archive: repositories: "Lib/App:latest" is not the name of an image: invalid reference format: repository name (App) must be lowercase; tag the image anew and save it again`,
		},
		{
			"a tag that is none", old.with(files{"repositories": jsonOf(t, obj{"lib/app": obj{"a b": topID}})}).tar(t),
			`archive: repositories: "lib/app:a b" is not the name of an image: invalid tag format; tag the image anew and save it again`,
		},
		{
			"repositories of another type", old.with(files{"repositories": `["lib/app"]`}).tar(t),
			"archive: repositories: it is not the JSON that belongs there: the whole is of type array; the tool that wrote it has to write it anew",
		},
	}
}

// badNewSaves are archives with manifest.json.
func badNewSaves(t *testing.T) []badArchive {
	save := newForm(t)
	config := configJSON(t, baseTar(t), topTar(t))
	configName := hexOf(config) + ".json"
	saved := func(edit obj) string {
		img := obj{"Config": configName, "RepoTags": list{"lib/app:latest"}, "Layers": list{"0/layer.tar", "1/layer.tar"}}
		maps.Copy(img, edit)
		return save.with(files{"manifest.json": jsonOf(t, list{img})}).tar(t)
	}
	return []badArchive{
		{
			"manifest.json without images", save.with(files{"manifest.json": "[]"}).tar(t),
			"archive: manifest.json: it lists no image; save the image again with everything it needs",
		},
		{
			"config missing", save.without(configName).tar(t),
			"archive: CONFIG.json: it is missing, and manifest.json names it; save the image again with everything it needs",
		},
		{
			"config of another digest", save.with(files{configName: config + " "}).tar(t),
			"archive: CONFIG.json: its digest is sha256:OTHER, not the one in its name; copy or save it again",
		},
		{
			"config that is null", save.with(files{"manifest.json": jsonOf(t, list{obj{"Config": "c"}}), "c": "null"}).tar(t),
			"archive: c: it cannot be given V1 IDs: config: it is null, not an object; the tool that wrote it has to write it anew",
		},
		{
			"layer missing", save.without("1/layer.tar").tar(t),
			"archive: 1/layer.tar: it is missing, and manifest.json names it; save the image again with everything it needs",
		},
		{
			"layer of another diff ID", save.with(files{"1/layer.tar": baseTar(t)}).tar(t),
			"archive: 1/layer.tar: the uncompressed layer has digest sha256:BASETAR, but the config says sha256:TOPTAR; copy or save it again",
		},
		{
			"compressed layer of another diff ID", save.with(files{"1/layer.tar": gzipped(t, baseTar(t))}).tar(t),
			"archive: 1/layer.tar: the uncompressed layer has digest sha256:BASETAR, but the config says sha256:TOPTAR; copy or save it again",
		},
		{
			"fewer layers than the config", saved(obj{"Layers": list{"0/layer.tar"}}),
			"archive: manifest.json: image 0: its number of layers is 1, but in its config 2; the tool that wrote it has to write it anew",
		},
		{
			"layer path that leaves", saved(obj{"Layers": list{"0/layer.tar", "../layer.tar"}}),
			`archive: manifest.json: image 0: it names "../layer.tar", which is not a path within the archive; the tool that wrote it has to write it anew`,
		},
		{
			"absolute config path", saved(obj{"Config": "/etc/passwd"}),
			`archive: manifest.json: image 0: it names "/etc/passwd", which is not a path within the archive; the tool that wrote it has to write it anew`,
		},
		{
			"name without tag", saved(obj{"RepoTags": list{"lib/app"}}),
			`archive: manifest.json: image 0: "lib/app" is not a name with a tag; the tool that wrote it has to write it anew`,
		},
		{
			"name that is none", saved(obj{"RepoTags": list{"lib//app:1"}}),
			`archive: manifest.json: image 0: "lib//app:1" is not the name of an image: invalid reference format; tag the image anew and save it again`,
		},
		{
			"history of fewer layers", badHistory(t),
			"archive: c.json: it cannot be given V1 IDs: the history in its config has 0 layers, and its rootfs 1; the tool that wrote it has to write it anew",
		},
	}
}

func badHistory(t *testing.T) string {
	config := jsonOf(t, obj{"rootfs": obj{"type": "layers", "diff_ids": list{digestOf(topTar(t))}}, "history": list{obj{"empty_layer": true}}})
	return files{
		"manifest.json": jsonOf(t, list{obj{"Config": "c.json", "Layers": list{"l"}}}), "c.json": config, "l": topTar(t),
	}.tar(t)
}

// flip changes the byte at an offset, from the end when it is below 0.
func flip(s string, at int) string {
	if at < 0 {
		at += len(s)
	}
	b := []byte(s)
	b[at] ^= 0xff
	return string(b)
}

func manyEntries(n int) []entry {
	var entries []entry
	for range n {
		entries = append(entries, entry{name: "folder/", typ: tar.TypeDir})
	}
	return entries
}

// badLayouts are OCI layouts.
func badLayouts(t *testing.T) []badArchive {
	layers := gzipLayers(t)
	config := configJSON(t, baseTar(t), topTar(t))
	f := files{}
	manifest := f.addManifest(t, config, layers...)
	good := f.index(t, named(descriptor(ociManifest, manifest), "v1"))
	edited := func(config string, layers ...layoutLayer) string {
		f := files{}
		return f.index(t, descriptor(ociManifest, f.addManifest(t, config, layers...))).tar(t)
	}
	wrongSize := descriptor(ociManifest, manifest)
	wrongSize["size"] = 7
	artifact := jsonOf(t, obj{"schemaVersion": 2, "config": descriptor("application/vnd.oci.empty.v1+json", "{}"), "layers": list{descriptor("text/plain", "hi")}})
	nested := descriptor(ociManifest, manifest)
	deep := files{}
	for range 10 {
		index := jsonOf(t, obj{"schemaVersion": 2, "manifests": list{nested}})
		deep[blobName(index)] = index
		nested = descriptor(ociIndex, index)
	}
	return []badArchive{
		{
			"layout: index that is empty", f.index(t).tar(t),
			"archive: index.json: it lists no image; save the image again with everything it needs",
		},
		{
			"layout: another version", good.with(files{"oci-layout": `{"imageLayoutVersion":"2.0.0"}`}).tar(t),
			`archive: oci-layout: its imageLayoutVersion is "2.0.0"; 1.0.0 is known here; the tool that wrote it has to write it anew`,
		},
		{
			"layout: manifest missing", good.without(blobName(manifest)).tar(t),
			"archive: blobs/sha256/MANIFEST: it is missing, and index.json names it; save the image again with everything it needs",
		},
		{
			"layout: manifest of another size", f.index(t, wrongSize).tar(t),
			"archive: blobs/sha256/MANIFEST: it has 554 bytes, but index.json says 7; copy or save it again",
		},
		{
			"layout: manifest of another digest", good.with(files{blobName(manifest): strings.Replace(manifest, "2", "3", 1)}).tar(t),
			"archive: blobs/sha256/MANIFEST: its digest is sha256:OTHER, not the one in its name; copy or save it again",
		},
		{
			"layout: digest that is none", f.index(t, obj{"mediaType": ociManifest, "digest": "sha256:../../etc/passwd", "size": 1}).tar(t),
			`archive: index.json: the digest "sha256:../../etc/passwd" in it cannot be used: invalid checksum digest length; the tool that wrote it has to write it anew`,
		},
		{
			"layout: digest of unknown algorithm", f.index(t, obj{"mediaType": ociManifest, "digest": "md5:0a", "size": 1}).tar(t),
			`archive: index.json: the digest "md5:0a" in it cannot be used: unsupported digest algorithm; the tool that wrote it has to write it anew`,
		},
		{
			"layout: config missing", good.without(blobName(config)).tar(t),
			"archive: blobs/sha256/CONFIG: it is missing, and blobs/sha256/MANIFEST names it; save the image again with everything it needs",
		},
		{
			"layout: layer missing", good.without(blobName(layers[0].blob)).tar(t),
			"archive: blobs/sha256/BASEGZ: it is missing, and blobs/sha256/MANIFEST names it; save the image again with everything it needs",
		},
		{
			"layout: layer of another digest", good.with(files{blobName(layers[0].blob): flip(layers[0].blob, 30)}).tar(t),
			"archive: blobs/sha256/BASEGZ: its digest is sha256:OTHER, not the one in its name; copy or save it again",
		},
		{
			"layout: layer of another diff ID", edited(config, layers[1], layers[0]),
			"archive: blobs/sha256/TOPGZ: the uncompressed layer has digest sha256:TOPTAR, but the config says sha256:BASETAR; copy or save it again",
		},
		{
			"layout: fewer layers than the config", edited(config, layers[0]),
			"archive: blobs/sha256/OTHER: its number of layers is 1, but in its config 2; the tool that wrote it has to write it anew",
		},
		{
			"layout: layer of a few words", edited(configJSON(t, "hello"), layoutLayer{ociLayer + "+gzip", "hello"}),
			"archive: blobs/sha256/OTHER: the layer is not a tar; copy or save it again",
		},
		{
			"layout: gzip of a few words", edited(configJSON(t, "hello"), layoutLayer{ociLayer + "+gzip", gzipped(t, "hello")}),
			"archive: blobs/sha256/OTHER: the layer is not a tar; copy or save it again",
		},
		{
			"layout: gzip and then a few words", edited(configJSON(t, "hello"), layoutLayer{ociLayer + "+gzip", gzipped(t, tarOf(t)) + "hello"}),
			"archive: blobs/sha256/OTHER: bytes that are no gzip follow its gzip stream; copy or save it again",
		},
		{
			"layout: gzip that is cut off", edited(configJSON(t, "hello"), layoutLayer{ociLayer + "+gzip", gzipped(t, tarOf(t))[:20]}),
			"archive: blobs/sha256/OTHER: it is cut off; copy or save it again",
		},
		{
			"layout: two gzips, the second cut off", edited(configJSON(t, "hello"), layoutLayer{ociLayer + "+gzip", gzipped(t, tarOf(t)) + gzipped(t, tarOf(t))[:20]}),
			"archive: blobs/sha256/OTHER: it is cut off; copy or save it again",
		},
		{
			"layout: layer that is no tar", edited(configJSON(t, "hello"), layoutLayer{ociLayer + "+gzip", gzipped(t, strings.Repeat("hello", 300))}),
			"archive: blobs/sha256/OTHER: the layer is not a tar; copy or save it again",
		},
		{
			"layout: diff ID that is none", edited(strings.ReplaceAll(config, "sha256:", "sha257:"), layers...),
			`archive: blobs/sha256/OTHER: the digest "sha257:BASETAR" in it cannot be used: unsupported digest algorithm; the tool that wrote it has to write it anew`,
		},
		{
			"layout: a schema 1 manifest", f.index(t, descriptor("application/vnd.docker.distribution.manifest.v1+prettyjws", manifest)).tar(t),
			"archive: blobs/sha256/MANIFEST: it is not an image: its media type is application/vnd.docker.distribution.manifest.v1+prettyjws; this one cannot be pushed as an image",
		},
		{
			"layout: an artifact without what it names", f.with(files{blobName(artifact): artifact, blobName("{}"): "{}"}).index(t, descriptor(ociManifest, artifact)).tar(t),
			"archive: blobs/sha256/OTHER: it is missing, and blobs/sha256/OTHER names it; save the image again with everything it needs",
		},
		{
			"layout: an index of nothing that is there", f.with(files{blobName("{}"): "{}"}).index(t, descriptor(ociIndex, "{}")).tar(t),
			"archive: index.json: it lists no image; save the image again with everything it needs",
		},
		{
			"layout: an index in an index in …", good.with(deep).index(t, nested).tar(t),
			"archive: blobs/sha256/OTHER: its indexes lie more than 8 deep in each other; the tool that wrote it has to write it anew",
		},
	}
}
