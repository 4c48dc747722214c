"""Each page of the dashboard has a picture, and each picture is shown."""

from penstock.web.pages import declared
from tools.pictures import GALLERY, IMAGES, PICTURES, SIGN_IN, gallery

_THERE = {each.name for each in IMAGES.iterdir()}


def test_each_page_of_the_dashboard_has_a_picture():
    assert {view.path for view in declared().views} | {SIGN_IN} == {picture.of for picture in PICTURES}


def test_each_main_page_is_shown_narrow_and_dark_as_well():
    main = {view.path for view in declared().views if "{" not in view.path and view.path == f"/{view.nav}"} | {"/"}
    assert len(main) > 10
    assert main <= {picture.of for picture in PICTURES if "narrow and dark" in picture.files}


def test_no_picture_is_left_over():
    known = [file for picture in PICTURES for file in picture.files.values()]
    assert len(known) == len(set(known))
    assert set(known) >= _THERE


def test_the_page_of_pictures_shows_each_that_is_there():
    """`make screenshots` writes it."""
    page = GALLERY.read_text("utf-8")
    assert page == gallery(_THERE)
    assert [name for name in sorted(_THERE) if f"(images/{name})" not in page] == []
