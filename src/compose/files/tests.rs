//! Which files may be opened: regular ones, inside, of bounded size. Nothing here touches anything outside a temporary folder.

use super::*;

#[test]
fn regular_files_inside_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("a"), "x").unwrap();
    std::fs::create_dir(path("b")).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", path("out")).unwrap();
    std::os::unix::fs::symlink("a", path("in")).unwrap();
    std::os::unix::fs::symlink("loop", path("loop")).unwrap();
    let mut files = Files::new(Access::Below(folder.path().to_owned()));
    assert_eq!(files.read(&path("a")), Ok(b"x".to_vec()));
    assert_eq!(files.read(&path("in")), Ok(b"x".to_vec()));
    assert_eq!(files.read(&path("b/../a")), Ok(b"x".to_vec()));
    assert_eq!(files.read(&path("b")), Err(Unread::Folder));
    assert_eq!(files.read(&path("nothing")), Err(Unread::Missing));
    assert_eq!(files.read(&path("out")), Err(Unread::Outside));
    assert_eq!(files.read("/etc/hostname"), Err(Unread::Outside));
    assert!(files.read(&path("loop")).is_err());
    assert_eq!(Files::new(Access::Nothing).read(&path("a")), Err(Unread::Remote));
}

#[test]
fn sizes_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("large"), vec![b'x'; 5 << 20]).unwrap();
    std::fs::write(path("most"), vec![b'x'; 4 << 20]).unwrap();
    let mut files = Files::new(Access::Below(folder.path().to_owned()));
    assert_eq!(files.read(&path("large")), Err(Unread::Large));
    for _ in 0..4 {
        assert!(files.read(&path("most")).is_ok());
    }
    assert_eq!(files.read(&path("most")), Err(Unread::AllLarge));
}

#[test]
fn folders_are_read_if_they_are_small() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir_all(path("b/sub")).unwrap();
    std::fs::write(path("b/z"), "1").unwrap();
    std::fs::write(path("b/sub/a"), "2").unwrap();
    let mut files = Files::new(Access::Below(folder.path().to_owned()));
    let names = |all: Option<Vec<Below>>| all.map(|all| all.into_iter().map(|file| file.path).collect::<Vec<_>>());
    assert_eq!(names(files.below(&path("b"))), Some(vec!["sub/a".to_owned(), "z".to_owned()]));
    assert_eq!(names(files.below(&path("b/"))).map(|all| all.len()), Some(2));
    assert_eq!(names(files.below("/etc")), None);
    std::os::unix::fs::symlink("/etc", path("out")).unwrap();
    assert_eq!(names(files.below(&path("out"))), None);
    std::os::unix::fs::symlink("/etc/hostname", path("b/out")).unwrap();
    assert_eq!(names(files.below(&path("b"))), None);
    std::fs::remove_file(path("b/out")).unwrap();
    std::fs::write(path("b/large"), vec![b'x'; (1 << 20) + 1]).unwrap();
    assert_eq!(names(files.below(&path("b"))), None);
}
