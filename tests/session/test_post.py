"""What falls out of a full queue between threads is counted."""

from ranvier.session._intake import Post


def test_what_was_never_taken_is_counted():
    post = Post(3)
    for i in range(5):
        post.append(i)
    assert list(post) == [2, 3, 4]
    assert post.dropped == 2
    post.popleft()
    post.append(5)
    assert (list(post), post.dropped) == ([3, 4, 5], 2)
