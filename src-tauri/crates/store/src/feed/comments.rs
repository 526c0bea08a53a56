//! Pages of comments.

use super::unread::{count_unread, keep_unread, now_read};
use super::{Edge, FeedStep, Resource, begin, finish};
use crate::{CommentChange, Store, StoreError, comment_write};
use stallcast_model::{Comment, ConnectionId, FeedPage};

impl Store {
    /// Applies a page of comments that was read from cursor `from`: each comment once at its highest version.
    ///
    /// # Errors
    /// As [`Self::apply_orders`].
    pub async fn apply_comments(
        &self,
        connection: &ConnectionId,
        from: Option<&str>,
        page: FeedPage<Comment>,
        now_ms: i64,
    ) -> Result<FeedStep<CommentChange>, StoreError> {
        let connection = connection.as_str().to_owned();
        let FeedPage { rows, unread, next, more, read_at_ms, feed } = page;
        let edge = Edge { from: from.map(str::to_owned), next, more, read_at_ms, feed };
        let unread = self.seal_unread(&connection, Resource::Comments, unread)?;
        self.write(move |tx| {
            Box::pin(async move {
                let before = match begin(tx, &connection, Resource::Comments, &edge, now_ms).await? {
                    Ok(before) => before,
                    Err(restarted) => return Ok(restarted),
                };
                keep_unread(tx, &connection, Resource::Comments, &unread, now_ms).await?;
                if count_unread(tx, &connection, Resource::Comments).await? > 0 {
                    for comment in &rows {
                        now_read(tx, &connection, Resource::Comments, comment.id.as_str(), comment.version).await?;
                    }
                }
                let changes = comment_write::put_all(tx, &connection, rows, now_ms).await?;
                finish(tx, &connection, Resource::Comments, edge, before, changes, now_ms).await
            })
        })
        .await
    }
}
